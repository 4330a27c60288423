# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Training and offline evaluation of the embedded planner from folders of expert clips."""
