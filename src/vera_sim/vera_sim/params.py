# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of sim_node."""

from __future__ import annotations

from dataclasses import dataclass, field

from vera_core.parameter import NodeParams, param


@dataclass(frozen=True, slots=True, kw_only=True)
class SimParams(NodeParams):
    """What the simulated camera and robot driver can be told."""

    robot: str = field(default='panda', metadata=param('robot name or path of its YAML file, which has to have a simulation block'))
    seed: int = field(default=0, metadata=param('seed of the first scene and start pose', low=0))
    target: str = field(default='', metadata=param('object the success check is about, for example red_cube; empty for none'))
    image_rate_hz: float = field(default=10.0, metadata=param('pictures per second and view', unit='Hz', low=1.0, high=60.0))
    joint_state_rate_hz: float = field(default=100.0, metadata=param('joint states per second', unit='Hz', low=10.0, high=500.0))
    obstacle: tuple[float, ...] = field(
        default=(),
        metadata=param(
            'block no camera sees: x, y, z of its centre and three half edges in the world frame; the force against it is on sim/push; empty: none',
            unit='m',
            low=-5.0,
            high=5.0,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MockDriverParams(NodeParams):
    """What the stand-in for a robot with joint_trajectory_controller can be told."""

    robot: str = field(default='panda', metadata=param('robot name or path of its YAML file'))
    start_pose: str = field(default='home', metadata=param('named pose of the robot file in which the arm stands at the start'))
    update_rate_hz: float = field(
        default=1000.0, metadata=param('updates of the controller per second, as in controller_manager', unit='Hz', low=50.0, high=1000.0)
    )
    joint_state_rate_hz: float = field(
        default=1000.0, metadata=param('joint states per second, at most one per update', unit='Hz', low=10.0, high=1000.0)
    )
    interpolate_from_desired_state: bool = field(
        default=True, metadata=param('a new trajectory begins from the last command instead of the measured joints')
    )
    allow_nonzero_velocity_at_trajectory_end: bool = field(
        default=False, metadata=param('take trajectories that do not end at rest; the arm then stops with a jerk')
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraParams(NodeParams):
    """What the cameras beside a driver without pictures can be told."""

    robot: str = field(default='panda', metadata=param('robot name or path of its YAML file, which has to have a simulation block'))
    seed: int = field(default=0, metadata=param('seed of the scene', low=0))
    image_rate_hz: float = field(default=10.0, metadata=param('pictures per second and view', unit='Hz', low=1.0, high=60.0))
