# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Joint velocity estimates in, commands a robot can safely run out: gates, limits, shaping, safety state, task state."""
