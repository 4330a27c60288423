# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The page an operator works with: what it shows (history, model, pictures), who may see it (access, server), and the line that stops the arm."""
