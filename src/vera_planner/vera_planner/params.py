# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of planner_node."""

from __future__ import annotations

from dataclasses import dataclass, field

from vera_core.parameter import param


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerParams:
    """How plans are made."""

    robot: str = field(default='panda', metadata=param('embodiment name or path of its YAML file'))
    backend: str = field(default='embedded', metadata=param('who dreams: embedded, recorded, or a backend another package adds'))
    weights: str = field(default='', metadata=param('folder with the weights of the embedded planner; empty: those of the package'))
    recording: str = field(default='', metadata=param('.npz, .mcap or video file that the recorded planner plays', live=True))
    step_dt_s: float = field(
        default=0.3, metadata=param('time between context frames, and between frames of a recording', unit='s', low=0.02, high=5.0)
    )
    context_len: int = field(default=3, metadata=param('real frames per view a plan is conditioned on', low=1, high=64))
    replan_period_s: float = field(
        default=2.0, metadata=param('a new plan is dreamt this long after the last one', unit='s', low=0.1, high=60.0, live=True)
    )
    seed: int = field(default=0, metadata=param('seed of the first plan; every further one adds one', low=0))
    image_timeout_s: float = field(
        default=1.0, metadata=param('no plan is made from pictures older than this', unit='s', low=0.1, high=10.0)
    )
    task_timeout_s: float = field(
        default=1.0, metadata=param('a task that is not repeated for this long is over', unit='s', low=0.3, high=10.0)
    )
