# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A planner on another machine: what is said over the wire, the server, and how clients prove who they are."""
