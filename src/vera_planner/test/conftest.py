# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A small robot, requests for it, and servers on real sockets of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve

from vera_core.codec import decode, encode
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.types import Frame, VideoPlan
from vera_planner.planner import PlanRequest

sys.path.append(str(Path(__file__).parent))  # tiny_models and wan_reference

TOKEN = 'a-token-that-is-long-enough'


class FakePlanner:
    """Dreams frames that grow brighter; says when it began, and can take its time."""

    name = 'fake'

    def __init__(self, duration_s: float = 0.0) -> None:
        self.duration_s = duration_s
        self.began = threading.Event()
        self.requests: list[PlanRequest] = []

    def plan(self, request: PlanRequest) -> VideoPlan:
        self.requests.append(request)
        self.began.set()
        end = time.monotonic() + self.duration_s
        while time.monotonic() < end:
            time.sleep(0.01)
            request.watch.report(1 - max(0.0, end - time.monotonic()) / self.duration_s)
        frames = {
            view: np.stack([np.minimum(frames[-1].rgb + np.uint8(step), 255) for step in range(5)])
            for view, frames in request.context.items()
        }
        return VideoPlan(
            plan_id=request.plan_id, task_id=request.task_id, prompt=request.prompt, stamp_ns=request.stamp_ns, step_dt_s=0.2, frames=frames,
            context_len=len(next(iter(request.context.values()))), model=self.name, seed=request.seed, confidence=0.75,
        )  # fmt: skip


@pytest.fixture
def fake_planner() -> type[FakePlanner]:
    return FakePlanner


@pytest.fixture(scope='session')
def robot() -> Embodiment:
    """The Panda at 32 px."""
    return replace(load_embodiment('panda'), working_size=(32, 32))


@pytest.fixture
def order(robot: Embodiment) -> Callable[..., PlanRequest]:
    """Make a request with `length` different context pictures per view."""

    def make(length: int = 3, **changes: Any) -> PlanRequest:
        rng = np.random.default_rng(7)
        height, width = robot.working_size
        context = {
            view: tuple(
                Frame(view=view, stamp_ns=(k + 1) * 300_000_000, rgb=rng.integers(0, 200, (height, width, 3), dtype=np.uint8))
                for k in range(length)
            )
            for view in robot.view_names
        }
        return PlanRequest(**{'task_id': 3, 'plan_id': 8, 'prompt': 'touch the red cube', 'context': context, 'step_dt_s': 0.3} | changes)

    return make


@pytest.fixture
def background() -> Iterator[Callable[[AbstractAsyncContextManager[Any]], Any]]:
    """Enter asynchronous contexts (servers) on a loop in a thread; they are left at the end of the test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    stack = contextlib.AsyncExitStack()

    def enter(context: AbstractAsyncContextManager[Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(stack.enter_async_context(context), loop).result(10)

    enter.leave = lambda: asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(10)  # type: ignore[attr-defined]
    yield enter
    asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


Reply = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]


@pytest.fixture
def scripted(background: Callable[..., Any]) -> Callable[..., str]:
    """Start a WebSocket server that says `hello` and does with every message what a test tells it; returns its address."""

    @contextlib.asynccontextmanager
    async def listen(hello: bytes | str | dict[str, Any] | None, reply: Reply, port: int) -> AsyncIterator[int]:
        async def handle(connection: ServerConnection) -> None:
            with contextlib.suppress(Exception):
                if hello is not None:
                    await connection.send(encode(hello) if isinstance(hello, dict) else hello)
                async for data in connection:
                    assert isinstance(data, bytes)
                    await reply(connection, decode(data))

        async with serve(handle, '127.0.0.1', port, max_size=None, ping_interval=None, compression=None) as server:
            yield next(iter(server.sockets)).getsockname()[1]

    def start(hello: bytes | str | dict[str, Any] | None, reply: Reply, port: int = 0) -> str:
        return f'ws://127.0.0.1:{background(listen(hello, reply, port))}'

    return start


@pytest.fixture
def token() -> str:
    return TOKEN


@pytest.fixture
def unused_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])
