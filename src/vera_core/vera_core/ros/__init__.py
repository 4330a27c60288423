# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What every node shares of ROS: messages to types and back, parameters, quality of service, signs of life."""
