# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The Jacobian field: learned (network, weights, run time) or from a robot model."""
