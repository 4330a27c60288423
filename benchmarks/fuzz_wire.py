# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Ten thousand malformed frames into everything that reads a socket: planner service, policy service, the page, and the clients' decoders.

    python benchmarks/fuzz_wire.py --frames 10000 --json fuzz_wire.json

Services and page are real, over sockets of this machine, and take the next client as soon as one is cut off; afterwards a good request must be answered.
Frames are good messages with entries left out, of another type or size, or not finite; their bytes cut, changed and appended; and plain noise.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from vera_bringup.malformed import FLOATS, TEXTS, malform_bytes
from vera_bringup.operator.access import Access
from vera_bringup.operator.commands import parse_command
from vera_bringup.operator.server import LoopbackServer
from vera_bringup.serving.chunks import ChunkMaker
from vera_bringup.serving.policy_server import PolicyService, PolicySettings
from vera_core.codec import decode, encode
from vera_core.embodiment import load_embodiment
from vera_core.errors import PlanningError, VeraError
from vera_core.policy_words import PolicyHello, chunk_from_wire
from vera_core.policy_words import hello_from_wire as policy_hello_from_wire
from vera_core.policy_words import hello_to_wire as policy_hello_to_wire
from vera_core.types import Frame, VideoPlan
from vera_planner.planner import DreamWatch, PlanRequest
from vera_planner.service.server import PlannerService, ServiceSettings
from vera_planner.service.words import hello_from_wire, order_to_wire, plan_from_wire, plan_to_wire

ROBOT = load_embodiment('panda')
SHAPE = (*ROBOT.working_size, 3)
ANSWER_S = 0.02
"""A refused frame is answered at once; who says nothing for longer is given the next frame."""


def request() -> PlanRequest:
    """Return what a planner is asked."""
    picture = np.zeros(SHAPE, np.uint8)
    frames = {view: (Frame(view=view, stamp_ns=5, rgb=picture),) for view in ROBOT.view_names}
    return PlanRequest(task_id=1, plan_id=1, prompt='touch', context=frames, step_dt_s=0.2, seed=1, task_age_s=0.0, watch=DreamWatch())


class StillPlanner:
    """Dreams that nothing moves."""

    name = 'still'

    def plan(self, asked: PlanRequest) -> VideoPlan:
        """Return three times the newest picture."""
        frames = {view: np.stack([context[-1].rgb] * 3) for view, context in asked.context.items()}
        return VideoPlan(
            plan_id=asked.plan_id, task_id=asked.task_id, prompt=asked.prompt, stamp_ns=asked.stamp_ns, step_dt_s=0.2, frames=frames
        )


class NoFlow:
    """Stands where flow is estimated: requests that get this far were good."""

    def estimate(self, source: Any, target: Any) -> Any:
        """Refuse."""
        raise PlanningError('no flow is estimated here')


def malform_frame(good: dict[str, Any], rng: np.random.Generator) -> bytes:
    """Return a frame that is hardly a message any more."""
    choice = rng.random()
    if choice < 0.1:
        return rng.bytes(int(rng.integers(0, 200)))
    message = dict(good)
    for _ in range(int(rng.integers(1, 4))):
        name = sorted(good)[int(rng.integers(len(good)))]
        values = (
            None, [], {}, True, -1, 2**63 - 1, float(FLOATS[int(rng.integers(len(FLOATS)))]), TEXTS[int(rng.integers(len(TEXTS)))], 'x' * 5000,
            np.zeros((2, 3), np.float32), np.full((1, 4, 4, 3), np.nan), {'deep': [{'deeper': [1] * 50}]}, b'bytes', list(range(300)),
        )  # fmt: skip
        if rng.random() < 0.2:
            message.pop(name, None)
        else:
            message[name] = values[int(rng.integers(len(values)))]
    data = encode(message)
    return malform_bytes(data, rng) if choice < 0.4 else data


def flood(open_one: Callable[[], ClientConnection], frames: Iterator[bytes | str], count: int, *, greets: bool) -> dict[str, int]:
    """Send frames; whoever is cut off calls again."""
    tally = {'sent': 0, 'answers': 0, 'cut_off': 0}
    while tally['sent'] < count:
        try:
            with open_one() as client:
                if greets:
                    client.recv(timeout=5.0)
                while tally['sent'] < count:
                    client.send(next(frames))
                    tally['sent'] += 1
                    with contextlib.suppress(TimeoutError):
                        client.recv(timeout=ANSWER_S)
                        tally['answers'] += 1
        except ConnectionClosed:
            tally['cut_off'] += 1
        except InvalidStatus:  # the place of the one before is not free yet
            time.sleep(0.01)
    return tally


@contextlib.contextmanager
def running(context: Any) -> Iterator[str]:
    """Run a service on a loop in a thread; gives its address."""
    loop, stack = asyncio.new_event_loop(), contextlib.AsyncExitStack()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(stack.enter_async_context(context), loop).result(10)
        yield f'ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}'
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def planner_service(count: int, rng: np.random.Generator) -> dict[str, Any]:
    """Frames into `vera serve planner`."""
    good = order_to_wire(request(), 1, deadline_s=5.0, max_context=1)
    with running(PlannerService(ROBOT, StillPlanner, ServiceSettings(port=0)).listen()) as url:
        tally = flood(lambda: connect(url), (malform_frame(good, rng) for _ in iter(int, 1)), count, greets=True)
        with connect(url) as client:
            hello_from_wire(decode(client.recv(timeout=5.0)))
            client.send(encode(good))
            plan = plan_from_wire(decode(client.recv(timeout=10.0)), request())
    return {**tally, 'works_afterwards': plan.horizon == 2}


def policy_service(count: int, rng: np.random.Generator) -> dict[str, Any]:
    """Frames into `vera serve policy`."""
    hello = PolicyHello(
        view_keys=ROBOT.view_names, view_widths=(), action_space='qpos_delta', action_horizon=4, action_dim=7, control_dt=0.2, context_frames=5,
        embodiment='panda', planner_model='still', idm_model='none',
    )  # fmt: skip
    good = {
        'endpoint': 'infer', 'session_id': 'a', 'prompt': 'touch', 'context_rgb': np.zeros((1, 8, 8 * len(ROBOT.views), 3), np.uint8),
        'q_robot': np.zeros(7), 'view_widths': [8] * len(ROBOT.views), 'view_keys': list(ROBOT.view_names),
    }  # fmt: skip

    def make() -> ChunkMaker:
        return ChunkMaker(robot=ROBOT, planner=StillPlanner(), field=None, flow=NoFlow(), settings=None, step_dt_s=0.2)

    def frames() -> Iterator[bytes]:
        for _ in iter(int, 1):
            endpoint = ('infer', 'reset', 'observe', 'configure', 'reload')[int(rng.integers(5))]
            yield malform_frame({**good, 'endpoint': endpoint}, rng)

    with running(PolicyService(make, hello, PolicySettings(port=0)).listen()) as url:
        tally = flood(lambda: connect(url), frames(), count, greets=True)
        with connect(url) as client:
            client.recv(timeout=5.0)
            client.send(encode({'endpoint': 'reset', 'session_id': 'a'}))
            works = isinstance(client.recv(timeout=10.0), str)
    return {**tally, 'works_afterwards': works}


def page(count: int, rng: np.random.Generator) -> dict[str, Any]:
    """Words into the operator page's websocket, read as operator_node reads them."""
    taken: list[str] = []

    def serve(connection: Any) -> None:
        with contextlib.suppress(ConnectionClosed):
            for message in connection:
                try:
                    taken.append(parse_command(message).action)
                    connection.send('taken')
                except VeraError as error:
                    connection.send(str(error)[:100])

    def words() -> Iterator[bytes | str]:
        for _ in iter(int, 1):
            good = json.dumps(
                {
                    'do': ('speed', 'prompt', 'fly')[int(rng.integers(3))],
                    'value': float(rng.normal()) * 9,
                    'text': 'x' * int(rng.integers(0, 900)),
                }
            )
            yield from (
                malform_bytes(good.encode(), rng),
                good[: int(rng.integers(len(good)))],
                '[' * int(rng.integers(1, 9000)),
                rng.bytes(30),
            )

    server = LoopbackServer(Access(token='t'), port=0, path='/live', handler=serve)
    url = f'ws://127.0.0.1:{server.port}/live?token=t'
    try:
        tally = flood(lambda: connect(url), words(), count, greets=False)
        with connect(url) as client:
            client.send('{"do": "arm"}')
            works = client.recv(timeout=5.0) == 'taken'
    finally:
        server.close()
    return {**tally, 'works_afterwards': works, 'acted_on': sorted(set(taken))}


def decoders(count: int, rng: np.random.Generator) -> dict[str, Any]:
    """Answers of a server gone mad into the clients' decoders: refused with a VeraError or taken, nothing else."""
    asked = request()
    plan = plan_to_wire(StillPlanner().plan(asked), 1)
    hello = PolicyHello(
        view_keys=('a',), view_widths=(), action_space='qpos_delta', action_horizon=4, action_dim=7, control_dt=0.2, context_frames=5,
        embodiment='panda', planner_model='', idm_model='',
    )  # fmt: skip
    readers: tuple[tuple[dict[str, Any], Callable[[dict[str, Any]], Any]], ...] = (
        (plan, lambda message: plan_from_wire(message, asked)),
        (
            {'type': 'hello', 'protocol': 'vera-planner', 'version': 1, 'robot': 'r', 'views': ['a'], 'working_size': [8, 8], 'model': 'm'},
            hello_from_wire,
        ),
        (policy_hello_to_wire(hello), policy_hello_from_wire),
        ({'action': np.zeros((4, 7))}, lambda message: chunk_from_wire(message, hello)),
    )
    refused, crashes = 0, []
    for number in range(count):
        good, read = readers[number % len(readers)]
        try:
            read(decode(malform_frame(good, rng)))
        except VeraError:
            refused += 1
        except Exception as error:  # what a client would die of
            crashes.append(f'{type(error).__name__}: {str(error)[:200]}')
    return {'sent': count, 'refused': refused, 'crashes': crashes[:5], 'works_afterwards': not crashes}


def main() -> int:
    """Flood everything and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--frames', type=int, default=10_000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    report = {}
    for target in (decoders, page, planner_service, policy_service):
        begin = time.monotonic()
        report[target.__name__] = target(options.frames, np.random.default_rng(options.seed))
        print(f'{target.__name__:16} {report[target.__name__]} {time.monotonic() - begin:.0f} s', flush=True)
        if options.json:
            options.json.write_text(json.dumps(report, indent=1) + '\n', encoding='utf-8')
    return not all(row['works_afterwards'] for row in report.values())


if __name__ == '__main__':
    sys.exit(main())
