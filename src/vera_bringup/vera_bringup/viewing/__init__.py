# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a person sees of the robot in space: its body from the description, where the commands lead, markers and the dream as pictures."""
