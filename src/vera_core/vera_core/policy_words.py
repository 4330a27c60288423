# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What VERA's policy server and its clients say to each other (protocol version 1): pictures and joints go in, chunks of actions come out.

The server says its handshake first. Every request is one map with an `endpoint` and gets one answer; a text other than RESET_DONE is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vera_core.codec import field
from vera_core.errors import ShapeError, WireError
from vera_core.shapes import Array, FloatArray, RgbArray, check_finite, check_shapes

VERSION = 1
RESET_DONE = 'reset successful'
ENDPOINTS = ('infer', 'reset', 'observe', 'configure', 'reload')
JOINT_SPACES = ('qpos_delta', 'joint_delta', 'joint_position_delta')
"""Action spaces whose actions are joint steps."""
MAX_CHUNK = 400
MAX_FRAMES = 128
MAX_EDGE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyHello:
    """The handshake: what a policy server takes and gives."""

    view_keys: tuple[str, ...]
    view_widths: tuple[int, ...]
    """Width of every view in the picture that holds them side by side, px; empty: equal widths."""
    action_space: str
    action_horizon: int
    action_dim: int
    control_dt: float
    """Time from one action to the next, s."""
    context_frames: int
    embodiment: str
    planner_model: str = ''
    idm_model: str = ''
    actions_already_metric: bool = True
    action_abs_scale: tuple[float, ...] = ()
    """What actions are multiplied with when they are not metric."""
    needs_prompt: bool = True
    proprio_keys: tuple[str, ...] = ('q_robot',)


def hello_to_wire(hello: PolicyHello) -> dict[str, Any]:
    """Return the handshake map. Facts about the machine it runs on are left empty: every client can read them."""
    return {
        'image_resolution': None,
        'view_keys': list(hello.view_keys),
        'view_widths': list(hello.view_widths),
        'proprio_keys': list(hello.proprio_keys),
        'needs_prompt': hello.needs_prompt,
        'needs_session_id': True,
        'action_space': hello.action_space,
        'action_horizon': hello.action_horizon,
        'context_frames': hello.context_frames,
        'action_dim': hello.action_dim,
        'control_dt': hello.control_dt,
        'gripper_is_raw': True,
        'actions_already_metric': hello.actions_already_metric,
        'action_abs_scale': list(hello.action_abs_scale),
        'gripper_dim_index': None,
        'embodiment': hello.embodiment,
        'planner_model': hello.planner_model,
        'idm_model': hello.idm_model,
        'is_causal': False,
        'protocol_version': VERSION,
        'git_head': '',
        'git_dirty': False,
        'git_diff_sha': '',
        'hostname': '',
        'argv': [],
        'run_dir': '',
    }


def hello_from_wire(message: Mapping[str, Any]) -> PolicyHello:
    """Return the handshake in a server's first message.

    Raises:
        WireError: If it is of another protocol or version, or a value is missing or cannot be.
    """
    if 'action_space' not in message or 'view_keys' not in message:
        raise WireError(f'the server is no VERA policy server: its handshake has {", ".join(sorted(message)[:12])}')
    version = field(message, 'protocol_version', int, default=VERSION)
    if version != VERSION:
        raise WireError(f'the server speaks version {version} of the policy protocol, this client version {VERSION}')
    horizon, dim = field(message, 'action_horizon', int), field(message, 'action_dim', int)
    context, step = field(message, 'context_frames', int), field(message, 'control_dt', float)
    if not (1 <= horizon <= MAX_CHUNK and 1 <= dim <= 64 and 1 <= context <= MAX_FRAMES and 0.005 <= step <= 5.0):
        raise WireError(
            f'the handshake has action_horizon {horizon}, action_dim {dim}, context_frames {context}, control_dt {step} s; that cannot be'
        )
    keys, widths = _list(message, 'view_keys', str), _list(message, 'view_widths', int)
    if (
        not keys
        or len(set(keys)) != len(keys)
        or (widths and (len(widths) != len(keys) or not all(1 <= width <= MAX_EDGE for width in widths)))
    ):
        raise WireError(f'the handshake has view_keys {str(keys)[:80]} and view_widths {str(widths)[:80]}; they do not fit')
    scale = _list(message, 'action_abs_scale', (int, float))
    return PolicyHello(
        view_keys=tuple(keys),
        view_widths=tuple(widths),
        action_space=field(message, 'action_space', str),
        action_horizon=horizon,
        action_dim=dim,
        control_dt=step,
        context_frames=context,
        embodiment=str(message.get('embodiment', ''))[:80],
        planner_model=str(message.get('planner_model', ''))[:80],
        idm_model=str(message.get('idm_model', ''))[:80],
        actions_already_metric=field(message, 'actions_already_metric', bool, default=False),
        action_abs_scale=tuple(float(value) for value in scale),
        needs_prompt=field(message, 'needs_prompt', bool, default=True),
    )


def _list(message: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> list[Any]:
    values = message.get(name)
    values = values.tolist() if isinstance(values, np.ndarray) else values
    if values is None:
        return []
    if not isinstance(values, list) or len(values) > 64 or not all(isinstance(value, kind) for value in values):
        raise WireError(f"'{name}' is {str(values)[:80]}; a list was expected")
    return values


def pictures_from_wire(array: Any, name: str) -> RgbArray:
    """Return pictures (T, H, W, 3), uint8, of an array that may have a batch axis of one and may be floats in 0..1.

    Raises:
        WireError: If it has another shape or type, too many pictures, or values that are not finite or out of range.
    """
    if not isinstance(array, np.ndarray):
        raise WireError(f"'{name}' is a {type(array).__name__}; an array of pictures was expected")
    if array.ndim == 5 and array.shape[0] == 1:
        array = array[0]
    try:
        sizes = check_shapes(**{name: (array, 'T H W 3')})
        if array.dtype.kind == 'f':
            check_finite(**{name: array})
    except ShapeError as error:
        raise WireError(str(error)) from error
    if not (1 <= sizes['T'] <= MAX_FRAMES and 1 <= sizes['H'] <= MAX_EDGE and 1 <= sizes['W'] <= MAX_EDGE):
        raise WireError(f"'{name}' has shape {array.shape}; 1 to {MAX_FRAMES} pictures of up to {MAX_EDGE} px are taken")
    if array.dtype == np.uint8:
        return np.asarray(array, dtype=np.uint8)
    if array.dtype.kind != 'f' or array.min() < 0 or array.max() > 1:
        raise WireError(f"'{name}' has dtype {array.dtype}; uint8, or floats in 0..1, were expected")
    return np.asarray(np.round(array * 255), dtype=np.uint8)


def split_views(pictures: RgbArray, keys: tuple[str, ...], widths: tuple[int, ...]) -> dict[str, RgbArray]:
    """Return the views of pictures (T, H, W, 3) that show them side by side.

    Raises:
        WireError: If the widths do not add up to the picture.
    """
    total = pictures.shape[2]
    widths = widths or ((total // len(keys),) * len(keys) if total % len(keys) == 0 else ())
    if len(widths) != len(keys) or sum(widths) != total or min(widths) < 1:
        raise WireError(f'pictures are {total} px wide, which is not {len(keys)} views of {widths or "equal"} px')
    views, left = {}, 0
    for key, width in zip(keys, widths, strict=True):
        views[key] = pictures[:, :, left : left + width]
        left += width
    return views


def chunk_from_wire(message: Mapping[str, Any], hello: PolicyHello) -> FloatArray:
    """Return the actions of an answer to `infer` in the handshake's units, shape (H, action_dim).

    Raises:
        WireError: If there are none, too many, of another width, not finite, or without a scale although they are not metric.
    """
    actions = message.get('action')
    if not isinstance(actions, np.ndarray) or actions.dtype.kind != 'f':
        raise WireError(f"the answer's action is a {type(actions).__name__}; an array of floats was expected")
    try:
        sizes = check_shapes(action=(actions, f'H {hello.action_dim}'))
        check_finite(action=actions)
    except ShapeError as error:
        raise WireError(str(error)) from error
    if not 1 <= sizes['H'] <= MAX_CHUNK:
        raise WireError(f'the chunk has {sizes["H"]} actions; 1 to {MAX_CHUNK} are taken')
    chunk: Array = actions.astype(np.float64)
    if hello.actions_already_metric:
        return chunk
    if len(hello.action_abs_scale) != hello.action_dim:
        raise WireError(
            f'actions are not metric and the handshake has {len(hello.action_abs_scale)} scales for {hello.action_dim} of them; their unit is unknown'
        )
    return np.asarray(chunk * np.asarray(hello.action_abs_scale))
