# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From joint velocities to commands a robot can safely run: gates, limits, trajectory tails, task state machine; controller_node and executive_node."""
