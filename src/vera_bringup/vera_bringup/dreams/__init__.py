# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Dreams that a robot can follow and dreams that it cannot, made on purpose: what the check of plans is calibrated and measured with."""

from __future__ import annotations

from vera_bringup.dreams.good import GOOD, GoodDreams
from vera_bringup.dreams.sample import Sample
from vera_bringup.dreams.spoiled import SPOILED, spoil

__all__ = ['GOOD', 'SPOILED', 'GoodDreams', 'Sample', 'spoil']
