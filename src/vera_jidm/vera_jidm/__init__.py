# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From a video plan to joint velocities: optical flow, learned image Jacobian field, robust inversion; flow_node and jidm_node."""
