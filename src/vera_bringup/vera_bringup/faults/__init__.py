# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Faults on purpose: a relay that spoils topics, a catalogue of what can go wrong, and a rig that measures how the arm comes to rest."""
