# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The sides of flow_node and jidm_node that have threads of their own: plans that wait, and plans that are judged."""
