# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Quality of service by purpose. A publisher and its subscribers name the same constant, so they always match."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy


def _profile(depth: int, *, reliable: bool = True, kept: bool = False) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if kept else DurabilityPolicy.VOLATILE,
    )


SENSOR = _profile(5, reliable=False)
"""Camera pictures and joint states: a lost one is not worth waiting for."""
BUNCH = 100
"""Messages that wait where they are taken in bunches: as many as a driver of 1 kHz sends in a tenth of a second."""
BUNCHED_SENSOR = _profile(BUNCH, reliable=False)
"""Joint states where they are taken in bunches."""
PLAN = _profile(1, kept=True)
"""Video plans: large, rare, must arrive; a flow_node that starts late gets the plan in force."""
VERDICT = _profile(16, kept=True)
"""Verdicts on plans: few, none may be lost, and a flow_node that starts late gets that of the plan in force."""
STREAM = _profile(1)
"""Flow and joint velocities: only the newest counts, and it must arrive whole."""
STATUS = _profile(1, kept=True)
"""State and words for people: a late subscriber gets the newest one."""
COMMAND = _profile(10)
"""Trajectories to the driver: each goes on where the one before it leads, so one that comes while the driver is busy must wait, not be overwritten."""
TASK = _profile(10)
"""Sentences and tasks: few, none may be lost."""
JOURNAL = _profile(100)
"""Pages of the controller's journal: many, small, none may be lost."""

ALIVE_LEASE_S = 0.2
"""How long a node may be silent before whoever watches counts it as lost, s. Threads of the middleware renew it, not Python."""
ALIVE_OFFER_S = 0.09
"""Lease the publisher offers, s. It renews at two thirds of it; being much shorter than what the watcher asks for, two late or lost renewals in a row are
no false alarm on a busy machine. Every renewal wakes every process: at .06 s nine processes spent a tenth of a core on it."""


def bunched(profile: QoSProfile) -> QoSProfile:
    """Return the same quality of service with room for a bunch."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=max(BUNCH, profile.depth),
        reliability=profile.reliability,
        durability=profile.durability,
        liveliness=profile.liveliness,
        liveliness_lease_duration=profile.liveliness_lease_duration,
    )


def _alive(lease_s: float) -> QoSProfile:
    profile = _profile(1, kept=True)
    profile.liveliness = LivelinessPolicy.AUTOMATIC
    profile.liveliness_lease_duration = Duration(nanoseconds=int(lease_s * 1e9))
    return profile


ALIVE_BEACON = _alive(ALIVE_OFFER_S)
"""Signs of life, publishing side; see vera_core.ros.alive."""
ALIVE_WATCH = _alive(ALIVE_LEASE_S)
"""Signs of life, watching side."""
