# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of controller_node and executive_node, each declared here once with its unit, bounds and meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vera_core.parameter import param


def _number(default: float, text: str, *, unit: str, bounds: tuple[float, float], live: bool = False) -> Any:
    return field(default=default, metadata=param(text, unit=unit, low=bounds[0], high=bounds[1], live=live))


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerParams:
    """Parameters of controller_node."""

    robot: str = field(default='panda', metadata=param('embodiment name or path of its YAML file'))
    auto_arm: bool = field(
        default=False, metadata=param('arm once at the start as soon as nothing stands in the way; for simulations only')
    )
    speed_scale: float = _number(1.0, 'share of the estimated speed that is commanded', unit='', bounds=(0.0, 1.0), live=True)
    home_speed_scale: float = _number(0.5, 'share of the velocity limit used by go_home by default', unit='', bounds=(0.05, 1.0))
    tick_hz: float = _number(50.0, 'how often a trajectory is made', unit='Hz', bounds=(20.0, 200.0))
    lead_s: float = _number(
        0.1, 'a new piece takes over this long from now; longer than a message may take to the driver', unit='s', bounds=(0.02, 0.3)
    )
    active_s: float = _number(
        0.03, 'motion before the ramp to rest begins; longer than a tick, so that a late tick changes nothing', unit='s', bounds=(0.01, 0.2)
    )
    point_period_s: float = _number(0.01, 'time between two published points', unit='s', bounds=(0.002, 0.02))
    stop_time_s: float = _number(
        0.17, 'a stop from full commanded speed takes at most this long; bounds the speed', unit='s', bounds=(0.05, 2.0)
    )
    position_margin_rad: float = _number(0.02, 'commands stay this far inside the position limits', unit='rad', bounds=(0.005, 0.5))
    estimate_timeout_s: float = _number(0.25, 'without a usable estimate for this long the arm ramps to rest', unit='s', bounds=(0.05, 2.0))
    state_timeout_s: float = _number(0.2, 'without measured joints for this long the arm ramps to rest', unit='s', bounds=(0.05, 2.0))
    max_latency_s: float = _number(0.8, 'an estimate whose picture is older than this is refused', unit='s', bounds=(0.05, 5.0))
    idle_after_s: float = _number(
        2.0, 'without estimates for this long the state is ARMED instead of HOLDING', unit='s', bounds=(0.5, 60.0)
    )
    blend_in_s: float = _number(0.2, 'speed rises from nothing to full over this time when following begins', unit='s', bounds=(0.0, 5.0))
    compensate_latency: bool = field(
        default=True,
        metadata=param('take motion made since the picture off the estimate; false: command delta_q / dt as it comes', live=True),
    )
    tracking_delay_s: float = _number(0.01, 'how long the measured joints lag the commanded ones', unit='s', bounds=(0.0, 0.5))
    follow_bound_rad: float = _number(0.15, 'largest difference between measured and commanded joints', unit='rad', bounds=(0.01, 1.0))
    follow_patience_s: float = _number(0.3, 'the difference may last this long before the arm holds', unit='s', bounds=(0.05, 5.0))
    rest_bound_rad: float = _number(
        0.05, 'at rest the reference is put to the measured joints when they differ by more', unit='rad', bounds=(0.01, 1.0)
    )
    residual_full: float = _number(0.6, 'full speed up to this share of unexplained flow', unit='', bounds=(0.0, 1.0))
    residual_zero: float = _number(
        0.95, 'no motion from this share of unexplained flow on; above residual_full', unit='', bounds=(0.0, 2.0)
    )
    residual_floor_px: float = _number(0.6, 'unexplained flow this small never slows the arm', unit='px rms', bounds=(0.01, 20.0))
    observability_min: float = _number(0.05, 'the arm holds when the observabilities sum to less', unit='', bounds=(0.0, 10.0))
    home_tolerance_rad: float = _number(0.02, 'go_home has succeeded when every joint is this close', unit='rad', bounds=(0.001, 0.2))
    require_task: bool = field(
        default=True,
        metadata=param('follow only estimates of the task in force; false: follow whatever arrives, for tests of single nodes'),
    )
    task_timeout_s: float = _number(1.0, 'a task that is not repeated for this long is over', unit='s', bounds=(0.3, 10.0))
    required_nodes: tuple[str, ...] = field(
        default=('planner_node', 'flow_node', 'jidm_node', 'executive_node'),
        metadata=param('the arm ramps to rest when one of these was alive and is gone'),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutiveParams:
    """Parameters of executive_node."""

    robot: str = field(default='panda', metadata=param('embodiment name or path of its YAML file'))
    default_duration_s: float = _number(30.0, 'time limit of a task that gives none', unit='s', bounds=(1.0, 600.0))
    done_rms_rad: float = _number(
        0.008, 'a task may be done when the wanted joint step is this small (rms over the joints)', unit='rad', bounds=(0.001, 0.5)
    )
    done_remaining_px: float = _number(
        3.0, 'a task may be done when the motion missing to the last plan frame is this small', unit='px', bounds=(0.1, 50.0)
    )
    done_hold_s: float = _number(0.5, 'a task is done when both have held for this long', unit='s', bounds=(0.1, 10.0))
    moving_rad_s: float = _number(
        0.02, 'the arm counts as moving above this commanded speed (rms over the joints)', unit='rad/s', bounds=(0.001, 1.0)
    )
    status_timeout_s: float = _number(
        1.0, 'without safety_status for this long the controller counts as gone', unit='s', bounds=(0.3, 10.0)
    )
    lost_patience_s: float = _number(
        0.6, 'a lost node may come back for this long before the task ends; the arm rests meanwhile', unit='s', bounds=(0.0, 10.0)
    )
    required_nodes: tuple[str, ...] = field(
        default=('planner_node', 'flow_node', 'jidm_node', 'controller_node'),
        metadata=param('a task ends when one of these was alive and is gone'),
    )
