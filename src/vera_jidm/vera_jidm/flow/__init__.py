# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Optical flow between a real picture and a planned one, with a confidence per pixel."""

from __future__ import annotations

from vera_jidm.flow.estimator import FlowEstimator

__all__ = ['FlowEstimator']
