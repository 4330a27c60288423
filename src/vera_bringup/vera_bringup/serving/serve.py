# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What `vera serve planner` and `vera serve policy` do: make the parts, listen, say where, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from contextlib import AbstractAsyncContextManager
from typing import Any

from websockets.asyncio.server import Server

from vera_bringup.serving.chunks import ChunkMaker
from vera_bringup.serving.policy_server import PolicyService, PolicySettings
from vera_core.embodiment import load_embodiment
from vera_core.policy_words import PolicyHello
from vera_jidm.flow.dis import DisFlow
from vera_jidm.params import JidmParams
from vera_jidm.registry import JACOBIAN_MODELS
from vera_planner.params import PlannerParams
from vera_planner.registry import planner_from_params
from vera_planner.service.access import read_token
from vera_planner.service.server import PlannerService, ServiceSettings

POLICY_CONTEXT = 9
POLICY_HORIZON = 10


def serve_planner(params: PlannerParams, *, host: str, port: int, token_file: str, max_clients: int) -> int:
    """Serve plans until Ctrl-C; returns the exit code.

    Raises:
        VeraError: If the planner cannot be made, the address is open without a token, or the port is taken.
    """
    robot = load_embodiment(params.robot)
    settings = ServiceSettings(host=host, port=port, token=read_token(token_file), max_clients=max_clients)
    service = PlannerService(robot, lambda: planner_from_params(robot, params), settings)
    print(f'planner {params.backend} for {robot.name}: ws://{host}:{port}{", with a token" if settings.token else ""}', flush=True)
    return run_until_signal(service.listen())


def serve_policy(params: PlannerParams, *, host: str, port: int, token_file: str, is_open: bool, max_clients: int) -> int:
    """Serve action chunks in VERA's protocol until Ctrl-C; returns the exit code.

    Raises:
        VeraError: As `serve_planner`; and if the robot has no field.
    """
    make, hello = policy_parts(params)
    settings = PolicySettings(host=host, port=port, token=read_token(token_file), is_open=is_open, max_clients=max_clients)
    service = PolicyService(make, hello, settings)
    print(f'policy of {hello.embodiment} ({hello.planner_model} + {hello.idm_model}): ws://{host}:{port}', flush=True)
    return run_until_signal(service.listen())


def policy_parts(params: PlannerParams) -> tuple[Any, PolicyHello]:
    """Return what makes a client's ChunkMaker, and the handshake.

    Raises:
        VeraError: If the planner or the field cannot be made.
    """
    robot = load_embodiment(params.robot)
    planner = planner_from_params(robot, params)
    field = JACOBIAN_MODELS.make('learned', robot=robot)
    step_dt_s = float(getattr(planner, 'step_dt_s', params.step_dt_s))

    def make() -> ChunkMaker:
        shared = getattr(planner, 'is_shared', False)
        return ChunkMaker(
            robot=robot,
            planner=planner if shared else planner_from_params(robot, params),
            field=field,
            flow=DisFlow(),
            settings=JidmParams(robot=params.robot).pipeline_settings(),
            step_dt_s=params.step_dt_s,
        )

    hello = PolicyHello(
        view_keys=robot.view_names,
        view_widths=(),
        action_space='qpos_delta',
        action_horizon=POLICY_HORIZON,
        action_dim=len(robot.joints),
        control_dt=step_dt_s,
        context_frames=max(POLICY_CONTEXT, params.context_len),
        embodiment=robot.name,
        planner_model=planner.name[:80],
        idm_model='image Jacobian field',
    )
    return make, hello


def run_until_signal(listening: AbstractAsyncContextManager[Server]) -> int:
    """Serve until SIGINT or SIGTERM."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    logging.getLogger('websockets').setLevel(logging.ERROR)

    async def serve() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        async with listening:
            print('listening; Ctrl-C ends it', flush=True)
            await ended.wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
    return 0
