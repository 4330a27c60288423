# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From a sentence and camera pictures to a video plan: planner backends and planner_node."""
