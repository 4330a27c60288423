# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Self-play of a running graph, a real arm's among them: bounded random motions through the controller, recorded for `vera train idm`."""
