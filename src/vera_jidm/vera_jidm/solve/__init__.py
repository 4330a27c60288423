# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From flow and Jacobian to a joint step: rows, damping, robustness, limits, observability."""

from __future__ import annotations

from vera_jidm.solve.joint_step import JointStep, SolveSettings, solve_joint_step

__all__ = ['JointStep', 'SolveSettings', 'solve_joint_step']
