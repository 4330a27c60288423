# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The room that puts the others together: system descriptions, the `vera` command line, demo and evaluation."""
