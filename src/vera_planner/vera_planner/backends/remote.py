# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A planner on another machine: `vera serve planner` there dreams, this client asks and checks what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable

from vera_core.codec import field
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, LinkError, ModelContractError, PlanningError, WireError
from vera_core.link import Link, Message
from vera_core.types import VideoPlan
from vera_planner.planner import PlanRequest, check_request
from vera_planner.service.access import bearer, read_token
from vera_planner.service.words import Hello, hello_from_wire, order_to_wire, plan_from_wire

POLL_S = 0.05
SILENCE_S = 10.0
"""A server that dreams reports twice a second; one that is silent for longer is given up."""


class RemotePlanner:
    """Asks a planner service for plans. It connects when it is made, and again after a loss when the next plan is due."""

    def __init__(
        self,
        robot: Embodiment,
        url: str,
        *,
        token_file: str = '',
        deadline_s: float = 30.0,
        silence_s: float = SILENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect and compare what both sides work with.

        Args:
            robot: Its views and working size must be those of the server.
            url: Address of the service, such as ws://gpu-machine:8765.
            token_file: File with the token; empty for none.
            deadline_s: A plan that takes longer is given up, s.
            silence_s: A server that says nothing for this long is given up, s.
            clock: Rising time, s.

        Raises:
            ConfigError: If the address, the token file or a number cannot be used.
            LinkError: If the server cannot be reached or refuses.
            ModelContractError: If the server works for another robot.
        """
        if not 0 < deadline_s <= 3600:
            raise ConfigError(f'deadline_s is {deadline_s}; it must be more than 0 and at most 3600 s')
        self._robot = robot
        self._deadline_s = deadline_s
        self._silence_s = silence_s
        self._clock = clock
        self._count = 0
        self._link = Link(url, self._greet, headers=bearer(read_token(token_file)), clock=clock)
        self._link.open()

    def _greet(self, message: Message) -> None:
        hello = hello_from_wire(message)
        robot = self._robot
        if sorted(hello.views) != sorted(robot.view_names) or hello.working_size != robot.working_size:
            raise ModelContractError(
                f"the server at {self._link.url} plans for robot '{hello.robot}' with views {', '.join(hello.views)} at {hello.working_size} px, "
                f"robot '{robot.name}' has {', '.join(robot.view_names)} at {robot.working_size} px; start it with: vera serve planner --robot {robot.name}"
            )
        self._hello: Hello = hello

    @property
    def name(self) -> str:
        """The server and its model."""
        return f'remote {self._link.url}, {self._hello.model}'

    @property
    def plans_once(self) -> bool:
        """Whether the server's first plan of a task holds the whole of it."""
        return self._hello.plans_once

    def plan(self, request: PlanRequest) -> VideoPlan:
        """Return the server's plan; see `VideoPlanner.plan`.

        Raises:
            PlanningError: If the server refuses, the dream is cancelled, or the plan it sends does not fit the request.
            LinkError: If the server cannot be reached, is silent, has gone, or takes longer than the deadline.
        """
        check_request(request, self._robot.view_names)
        self._link.open()
        self._count += 1
        number = self._count
        self._link.send(order_to_wire(request, number, deadline_s=self._deadline_s, max_context=self._hello.max_context))
        begin = heard = self._clock()
        while True:
            message = self._link.receive(POLL_S)
            now = self._clock()
            if isinstance(message, str):
                raise self._link.give_up(f'sent a text where a message was expected: {message[:80]!r}')
            if message is not None:
                heard = now
                plan = self._take(message, request, number)
                if plan is not None:
                    return plan
            if request.watch.is_cancelled:
                self._cancel(number)
                raise PlanningError('the dream was cancelled')
            if now - begin > self._deadline_s:
                self._cancel(number)
                raise LinkError(f'{self._link.url} did not finish the plan within {self._deadline_s:g} s (deadline_s)')
            if now - heard > self._silence_s:
                raise self._link.give_up(f'has been silent for {self._silence_s:g} s')

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _take(self, message: Message, request: PlanRequest, number: int) -> VideoPlan | None:
        """Return the plan when this message is it; None to go on waiting."""
        try:
            if field(message, 'id', int) not in (0, number):
                return None  # an answer to a request that was given up
            kind = field(message, 'type', str)
            if kind == 'plan':
                return plan_from_wire(message, request)
            if kind == 'progress':
                if not request.watch.is_cancelled:
                    request.watch.report(field(message, 'progress', float))
                return None
            text = field(message, 'text', str)[:500]
        except WireError as error:
            raise PlanningError(f'the answer of {self._link.url} is refused: {error}') from error
        if kind in ('refused', 'dropped'):
            raise PlanningError(text)
        raise LinkError(f'{self._link.url} failed: {text}')

    def _cancel(self, number: int) -> None:
        if self._link.is_open:
            self._link.send({'type': 'cancel', 'id': number})
