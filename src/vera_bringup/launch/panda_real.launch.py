# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole graph with a Franka arm and real cameras. Never run on hardware by this project. What it starts is in vera_bringup/set_ups.py."""

from launch import LaunchDescription

from vera_bringup.launching import launch_set_up


def generate_launch_description() -> LaunchDescription:
    """Hand the arguments of the set-up `panda_real` to vera.launch.py."""
    return launch_set_up('panda_real')
