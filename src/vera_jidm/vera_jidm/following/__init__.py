# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which planned picture to aim at now, and how fast."""

from __future__ import annotations

from vera_jidm.following.follower import FollowSettings, PlanFollower

__all__ = ['FollowSettings', 'PlanFollower']
