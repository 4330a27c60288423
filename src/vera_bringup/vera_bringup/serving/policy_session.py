# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One client of the policy service: its pictures, its settings, and an answer to each of its requests. Two clients never share any of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from vera_bringup.serving.chunks import ChunkMaker
from vera_core.codec import field
from vera_core.errors import ConfigError, WireError, nearest_name_hint
from vera_core.policy_words import ENDPOINTS, RESET_DONE, PolicyHello, hello_to_wire, pictures_from_wire, split_views
from vera_core.shapes import FloatArray, RgbArray

Answer = dict[str, Any] | str


class PolicySession:
    """Answers requests of one client.

    Args:
        maker: Makes plans and actions.
        hello: What the handshake promised.
        clock: Rising time, s.
    """

    def __init__(self, maker: ChunkMaker, hello: PolicyHello, clock: Callable[[], float]) -> None:
        self._maker = maker
        self._clock = clock
        self.hello = hello
        self._context: dict[str, RgbArray] = {}
        self._session = ''
        self._task = 1
        self._chunks = 0

    def answer(self, message: Mapping[str, Any]) -> Answer:
        """Return what to send back.

        Raises:
            VeraError: If the request cannot be carried out; the text is sent to the client.
        """
        endpoint = field(message, 'endpoint', str, default='infer')
        if endpoint not in ENDPOINTS:
            raise WireError(f"unknown endpoint '{endpoint[:40]}'; {nearest_name_hint(endpoint[:40], ENDPOINTS)}")
        handlers: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            'infer': self._infer,
            'reset': self._reset,
            'observe': self._observe,
            'configure': self._configure,
            'reload': self._reload,
        }
        return handlers[endpoint](message)

    def _infer(self, message: Mapping[str, Any]) -> Answer:
        begin = self._clock()
        session = message.get('session_id')
        name = '' if session is None else str(session)[:200]
        if name != self._session:
            self._forget()
            self._session = name
        position = self._position(message)
        self._look(message)
        is_cold = self._chunks == 0
        self._chunks += 1
        prompt = field(message, 'prompt', str, default='')
        plan = self._maker.plan(self._context, prompt, number=self._chunks, task=self._task)
        actions = self._maker.actions(plan, position, self.hello.action_horizon).astype(np.float32)
        info = {
            'infer_s': self._clock() - begin,
            'action_absmean': float(np.abs(actions).mean()),
            'chunk_len': len(actions),
            'cold_start': is_cold,
            'context_len': plan.context_len,
            'session_id': self._session,
            'confidence': plan.confidence,
            'step_dt': plan.step_dt_s,
        }
        return {'action': actions, 'info': info}

    def _position(self, message: Mapping[str, Any]) -> FloatArray:
        names = self._maker.robot.joint_names
        position = _numbers(message.get('q_robot'))
        if position.shape != (len(names),):
            raise WireError(
                f'q_robot must hold the {len(names)} measured joints in rad ({", ".join(names)}); it holds {position.size} values'
            )
        return position

    def _look(self, message: Mapping[str, Any]) -> None:
        """Take in the context pictures of a request."""
        given = message.get('context_rgb', message.get('rgb_context'))
        pictures = pictures_from_wire(given, 'context_rgb')
        given_widths = message.get('view_widths')
        widths = self.hello.view_widths if given_widths is None else tuple(int(width) for width in _numbers(given_widths))
        keys = message.get('view_keys')
        keys = tuple(str(key) for key in keys) if isinstance(keys, list) and keys else self.hello.view_keys
        if sorted(keys) != sorted(self.hello.view_keys):
            raise WireError(f'view_keys are {str(keys)[:80]}; this server needs {", ".join(self.hello.view_keys)}')
        views = split_views(pictures, keys, widths)
        mode = field(message, 'context_update_mode', str, default='replace')
        if mode not in ('replace', 'append'):
            raise WireError(f"context_update_mode is '{mode[:20]}'; replace and append are known")
        if mode == 'append' and self._context and next(iter(self._context.values())).shape[1] == pictures.shape[1]:
            views = {view: np.concatenate([self._context[view], views[view]]) for view in views}
        self._context = {view: views[view][-self.hello.context_frames :] for view in self.hello.view_keys}

    def _reset(self, _: Mapping[str, Any]) -> Answer:
        self._forget()
        return RESET_DONE

    def _forget(self) -> None:
        self._context, self._chunks = {}, 0
        self._task += 1

    def _observe(self, message: Mapping[str, Any]) -> Answer:
        pictures_from_wire(message.get('executed_rgb', message.get('context_rgb')), 'executed_rgb')
        return {'ok': True, 'retro_rendered': False}

    def _configure(self, message: Mapping[str, Any]) -> Answer:
        """All of it is applied, or none."""
        applied: dict[str, Any] = {}
        hello = self.hello
        for key, value in message.items():
            if key == 'endpoint':
                continue
            if key in ('n_action_steps', 'action_chunk_horizon', 'action_horizon') and isinstance(value, int) and 1 <= value <= 400:
                hello = replace(hello, action_horizon=value)
            elif key == 'context_frames' and isinstance(value, int) and 1 <= value <= 64:
                hello = replace(hello, context_frames=value)
            elif key == 'verbose' and isinstance(value, bool):
                pass
            else:
                return f'configure failed: {key[:40]} = {str(value)[:40]} is not taken; known: action_chunk_horizon, n_action_steps, context_frames, verbose'
            applied[key] = value
        self.hello = hello
        return {'applied': applied}

    def _reload(self, message: Mapping[str, Any]) -> Answer:
        asked = field(message, 'embodiment', str, default=self.hello.embodiment)
        if asked != self.hello.embodiment:
            raise ConfigError(
                f"this server works for '{self.hello.embodiment}', not for '{asked[:40]}'; start another one with: vera serve policy --robot {asked[:40]}"
            )
        return hello_to_wire(self.hello)


def _numbers(value: Any) -> FloatArray:
    """Return a list or array as floats, shape (n,); empty when it holds anything but finite numbers."""
    try:
        numbers = np.asarray(value if isinstance(value, np.ndarray | list) else (), dtype=np.float64).ravel()
    except (ValueError, TypeError, OverflowError):
        return np.empty(0)
    return numbers if np.isfinite(numbers).all() else np.empty(0)
