# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Any set-up, chosen by the argument `system`; the other launch files only set arguments of this one."""

from launch import LaunchDescription

from vera_bringup.launching import launch_any


def generate_launch_description() -> LaunchDescription:
    """Describe every set-up to the launch system."""
    return launch_any()
