# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Direct inverse dynamics, the rival of the Jacobian field: a network that maps what the cameras saw straight to a joint step.

Trained by the same trainer on the same pairs with the field's own encoder (see network.py) and measured on the same questions; the running
robot never uses it.
"""
