# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Real cameras: presets of their drivers, calibration of lenses and places."""
