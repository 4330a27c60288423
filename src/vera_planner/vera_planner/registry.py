# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Planner backends by name; others join through the entry point group `vera_planner.backends`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vera_core.embodiment import Embodiment
from vera_core.registry import Registry
from vera_planner.params import PlannerParams
from vera_planner.planner import VideoPlanner

PLANNERS: Registry[VideoPlanner] = Registry(
    'planner',
    {
        'diffusers': 'vera_planner.backends.diffusers_planner:DiffusersPlanner',
        'embedded': 'vera_planner.backends.embedded:EmbeddedPlanner',
        'recorded': 'vera_planner.backends.recorded:RecordedPlanner',
        'remote': 'vera_planner.backends.remote:RemotePlanner',
        'video_api': 'vera_planner.backends.video_api:VideoApiPlanner',
    },
    group='vera_planner.backends',
)


def make_planner(name: str, **options: Any) -> VideoPlanner:
    """Make a planner.

    Raises:
        ConfigError: If the name or an option is unknown.
        ModelContractError: If its weights are missing, truncated or made for another robot.
    """
    return PLANNERS.make(name, **options)


OPTIONS: Mapping[str, tuple[str, ...]] = {
    'diffusers': (
        'model', 'device', 'dtype', 'offload', 'allow_download', 'steps', 'guidance', 'history_guidance', 'negative_prompt', 'horizon',
        'canvas_height', 'canvas_width',
    ),
    'recorded': ('recording', 'step_dt_s'),
    'remote': ('url', 'token_file', 'deadline_s'),
    'video_api': (
        'url', 'token_file', 'deadline_s', 'model', 'steps', 'guidance', 'negative_prompt', 'horizon', 'canvas_height', 'canvas_width', 'step_dt_s',
    ),
}  # fmt: skip
"""Parameters each backend is made with; any other backend takes 'weights'."""


def planner_from_params(robot: Embodiment, params: PlannerParams) -> VideoPlanner:
    """Make the planner that the parameters describe.

    Raises:
        VeraError: See `make_planner`; and LinkError if a server cannot be reached.
    """
    names = OPTIONS.get(params.backend, ('weights',))
    return make_planner(params.backend, robot=robot, **{name: getattr(params, name) for name in names})
