# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A policy server on another machine in the place of planner and inversion: its action chunks become joint velocities for the usual gates."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, ModelContractError, WireError
from vera_core.link import Link, Message
from vera_core.parameter import NodeParams, param
from vera_core.policy_words import JOINT_SPACES, RESET_DONE, PolicyHello, chunk_from_wire, hello_from_wire
from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import JointVelocity

POLL_S = 0.05
MAX_STEP_RAD = 0.5
"""A chunk with a larger joint step is refused whole: its unit cannot be rad."""
QUIET_RAD = 1e-3
"""A chunk in which no joint moves more than this per step says that the task is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotePolicyParams(NodeParams):
    """Parameters of remote_policy_node."""

    robot: str = field(default='panda', metadata=param('embodiment name or path of its YAML file'))
    url: str = field(default='ws://127.0.0.1:8000', metadata=param('ws://host:port of a server that speaks the policy protocol of VERA'))
    views: tuple[str, ...] = field(
        default=(), metadata=param("the robot's views in the order of the server's; empty: the robot's own order")
    )
    deadline_s: float = field(default=60.0, metadata=param('a chunk that takes longer is given up', unit='s', low=0.1, high=600.0))
    image_timeout_s: float = field(
        default=0.5, metadata=param('no chunk is asked for with pictures or joints older than this', unit='s', low=0.1, high=10.0)
    )
    publish_rate_hz: float = field(
        default=15.0, metadata=param('how often the action that is due goes out', unit='Hz', low=2.0, high=100.0)
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Chunk:
    """Actions of one answer, counted from the pictures they were made from."""

    plan_id: int
    task_id: int
    stamp_ns: int
    """Of the newest picture the server saw, ns."""
    step_dt_s: float
    delta_q: FloatArray
    """Joint steps in the robot's order, shape (H, n), rad."""

    def place(self, now_ns: int) -> int:
        """Return which action is due; H or more when all are over."""
        return int((now_ns - self.stamp_ns) * 1e-9 / self.step_dt_s)

    def velocity(self, now_ns: int) -> JointVelocity | None:
        """Return the action that is due as a joint velocity, or None when none is. The server tells no uncertainty; none is made up."""
        index = self.place(now_ns)
        if not 0 <= index < len(self.delta_q):
            return None
        joints = self.delta_q.shape[1]
        return JointVelocity(
            stamp_ns=now_ns,
            plan_id=self.plan_id,
            task_id=self.task_id,
            step=index + 1,
            dt_s=self.step_dt_s,
            delta_q=self.delta_q[index],
            std=np.zeros(joints),
            observability=np.ones(joints),
            residual_ratio=0.0,
            residual_px=0.0,
            condition=1.0,
            remaining_px=0.0,
            at_plan_end=bool(np.abs(self.delta_q).max() <= QUIET_RAD),
        )


class RemotePolicy:
    """Client of a policy server that speaks VERA's protocol.

    Args:
        robot: Whose joints the actions must be.
        url: Such as ws://gpu-machine:8000.
        views: The robot's views in the order of the server's; empty: the robot's own order.
        headers: Sent when connecting, for example a token.
        deadline_s: A chunk that takes longer is given up, s.
        clock: Rising time, s.

    Raises:
        ConfigError: If the address or a view is unknown.
    """

    def __init__(
        self,
        robot: Embodiment,
        url: str,
        *,
        views: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        deadline_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.views = views or robot.view_names
        unknown = sorted(set(self.views) - set(robot.view_names))
        if unknown:
            raise ConfigError(f"robot '{robot.name}' has no view {', '.join(unknown)}; it has {', '.join(robot.view_names)}")
        self._robot = robot
        self._deadline_s = deadline_s
        self._clock = clock
        # The published server does not answer pings while it computes.
        self._link = Link(url, self._greet, headers=headers, keepalive_s=None, clock=clock)
        self.hello: PolicyHello | None = None

    def open(self) -> PolicyHello:
        """Connect unless connected; return the handshake.

        Raises:
            LinkError: If the server cannot be reached.
            ModelContractError: If its actions are not steps of this robot's joints, or it needs other views.
        """
        self._link.open()
        assert self.hello is not None
        return self.hello

    def _greet(self, message: Message) -> None:
        hello = hello_from_wire(message)
        names = self._robot.joint_names
        if hello.action_space not in JOINT_SPACES or hello.action_dim != len(names):
            raise ModelContractError(
                f"the server's actions are {hello.action_dim} of '{hello.action_space[:40]}' (embodiment '{hello.embodiment}'); "
                f'robot {self._robot.name} needs {len(names)} of {", ".join(JOINT_SPACES)}'
            )
        if len(hello.view_keys) != len(self.views):
            raise ModelContractError(
                f'the server needs {len(hello.view_keys)} views ({", ".join(hello.view_keys)}), {len(self.views)} are given ({", ".join(self.views)}); set views'
            )
        self.hello = hello

    def infer(
        self, context: Mapping[str, tuple[RgbArray, ...]], position: FloatArray, prompt: str, *, stamp_ns: int, plan_id: int, task_id: int
    ) -> Chunk:
        """Return a chunk of actions.

        Args:
            context: View name to real pictures, shape (H, W, 3), oldest first, none twice; the newest the server takes are sent.
            position: Measured joints, shape (n,), rad.
            prompt: The sentence.
            stamp_ns: Of the newest pictures, ns.
            plan_id: Number of the chunk.
            task_id: Task it is for; another task is another session of the server.

        Raises:
            LinkError: If the server cannot be reached, answers with an error, is too slow, or sends what does not fit: the chunk is refused whole.
        """
        hello = self.open()
        count = min(hello.context_frames, *(len(context[view]) for view in self.views))
        message = {
            'endpoint': 'infer',
            'context_rgb': np.stack([np.concatenate([context[view][k - count] for view in self.views], axis=1) for k in range(count)]),
            'view_keys': list(hello.view_keys),
            'view_widths': [context[view][-1].shape[1] for view in self.views],
            'q_robot': position.astype(np.float32),
            'session_id': f'task-{task_id}',
            'prompt': prompt,
            'context_update_mode': 'replace',
        }
        answer = self._ask(message)
        if isinstance(answer, str):
            raise self._link.give_up(f'answers with an error: {answer[-300:]}')
        try:
            delta_q = chunk_from_wire(answer, hello)
        except WireError as error:
            raise self._link.give_up(f'sent a chunk that is refused: {error}') from error
        largest = float(np.abs(delta_q).max())
        if largest > MAX_STEP_RAD:
            raise self._link.give_up(
                f'sent a joint step of {largest:.2f} rad (limit {MAX_STEP_RAD} rad); the chunk is refused, check the units'
            )
        return Chunk(plan_id=plan_id, task_id=task_id, stamp_ns=stamp_ns, step_dt_s=hello.control_dt, delta_q=delta_q)

    def reset(self) -> None:
        """Tell the server that an episode is over; one that is not connected is not called.

        Raises:
            LinkError: If it does not confirm.
        """
        if self._link.is_open and self._ask({'endpoint': 'reset', 'reason': 'episode_end'}) != RESET_DONE:
            raise self._link.give_up('did not confirm the reset')

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _ask(self, message: Message) -> Message | str:
        self._link.send(message)
        end = self._clock() + self._deadline_s
        while self._clock() < end:
            answer = self._link.receive(POLL_S)
            if answer is not None:
                return answer
        raise self._link.give_up(f'did not answer within {self._deadline_s:g} s (deadline_s)')
