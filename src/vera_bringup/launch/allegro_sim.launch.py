# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole graph with a simulated Allegro hand. The nodes are listed in vera_bringup/system.py."""

from launch import LaunchDescription

from vera_bringup.launching import describe


def generate_launch_description() -> LaunchDescription:
    """Describe the set-up `allegro_sim` to the launch system."""
    return describe('allegro_sim')
