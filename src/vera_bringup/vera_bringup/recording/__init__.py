# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Recording: what happened into MCAP files, and from there back into the graph, into decisions, data sets and videos."""
