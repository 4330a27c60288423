# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""VERA's released Wan planners: one-time conversion of a checkpoint, and sampling with history guidance on diffusers' networks."""
