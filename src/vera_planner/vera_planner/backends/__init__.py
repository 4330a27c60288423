# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Planners that can be chosen by name; see `vera_planner.registry`."""
