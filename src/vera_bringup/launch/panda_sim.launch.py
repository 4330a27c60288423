# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole graph with a simulated Panda. What it starts is in vera_bringup/set_ups.py."""

from launch import LaunchDescription

from vera_bringup.launching import launch_set_up


def generate_launch_description() -> LaunchDescription:
    """Hand the arguments of the set-up `panda_sim` to vera.launch.py."""
    return launch_set_up('panda_sim')
