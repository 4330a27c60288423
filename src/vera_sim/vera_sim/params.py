# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of sim_node."""

from __future__ import annotations

from dataclasses import dataclass, field

from vera_core.parameter import param


@dataclass(frozen=True, slots=True, kw_only=True)
class SimParams:
    """What the simulated camera and robot driver can be told."""

    robot: str = field(default='panda', metadata=param('robot name or path of its YAML file, which has to have a simulation block'))
    seed: int = field(default=0, metadata=param('seed of the first scene and start pose', low=0))
    target: str = field(default='', metadata=param('object the success check is about, for example red_cube; empty for none'))
    image_rate_hz: float = field(default=10.0, metadata=param('pictures per second and view', unit='Hz', low=1.0, high=60.0))
    joint_state_rate_hz: float = field(default=100.0, metadata=param('joint states per second', unit='Hz', low=10.0, high=500.0))
