# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The bodies of the robots the simulator knows by name, and of any robot described by an MJCF or URDF file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import mujoco

from vera_core.embodiment import Embodiment
from vera_core.errors import EmbodimentError, nearest_name_hint
from vera_sim.robots.allegro import allegro
from vera_sim.robots.described import described
from vera_sim.robots.finger import finger
from vera_sim.robots.panda import panda

BUILT_IN: Mapping[str, Callable[[Embodiment], mujoco.MjSpec]] = {'allegro': allegro, 'finger': finger, 'panda': panda}
"""Model name to the function that makes its bodies and servos."""


def robot_spec(robot: Embodiment) -> mujoco.MjSpec:
    """Return the bodies and servos of a robot whose `simulation` block is there.

    Raises:
        EmbodimentError: If the model is no built-in one and no file.
    """
    assert robot.simulation is not None
    path = robot.simulation.model_path
    if path is not None:
        return described(robot, path)
    model = robot.simulation.model
    if model not in BUILT_IN:
        raise EmbodimentError(
            f"unknown simulation.model '{model}'; {nearest_name_hint(model, BUILT_IN)} A file's name ends with .xml, .mjcf or .urdf."
        )
    return BUILT_IN[model](robot)
