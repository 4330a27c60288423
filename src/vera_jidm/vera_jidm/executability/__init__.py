# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether this robot can do what a plan shows, looked at before its first step and at every step after."""

from __future__ import annotations

from vera_jidm.executability.calibration import Calibration, load_calibration
from vera_jidm.executability.check import MAY_REST_PX, Moment, PlanCheck, Verdict
from vera_jidm.executability.inspection import Inspection, Judged, StepWatch, WatchSettings
from vera_jidm.executability.measures import PlanMeasures

__all__ = [
    'MAY_REST_PX',
    'Calibration',
    'Inspection',
    'Judged',
    'Moment',
    'PlanCheck',
    'PlanMeasures',
    'StepWatch',
    'Verdict',
    'WatchSettings',
    'load_calibration',
]
