# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The words the rooms speak in memory: typed frames, plans, flow, Jacobians, velocities, and the description of one robot."""
