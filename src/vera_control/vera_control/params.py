# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of controller_node and executive_node, each declared here once with its unit, bounds and meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vera_core.parameter import NodeParams, param


def _number(default: float, text: str, *, unit: str, bounds: tuple[float, float], live: bool = False) -> Any:
    return field(default=default, metadata=param(text, unit=unit, low=bounds[0], high=bounds[1], live=live))


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerParams(NodeParams):
    """Parameters of controller_node."""

    robot: str = field(default='panda', metadata=param('embodiment name or path of its YAML file'))
    auto_arm: bool = field(
        default=False, metadata=param('arm once at the start as soon as nothing stands in the way; for simulations only')
    )
    speed_scale: float = _number(1.0, 'share of the estimated speed that is commanded', unit='', bounds=(0.0, 1.0), live=True)
    max_speed_m_s: float = _number(
        0.25,
        'highest speed of any point of the links and the tool, where the robot file names a description',
        unit='m/s',
        bounds=(0.01, 2.0),
    )
    homing: str = field(
        default='controller',
        metadata=param(
            'who leads the arm to a pose: controller (this node itself), follow_joint_trajectory (joint_trajectory_controller), moveit '
            '(MoveIt plans, joint_trajectory_controller leads) or ptp_motion (franka_ros2); the last three were never run on hardware'
        ),
    )
    homing_action: str = field(
        default='',
        metadata=param('action of the driver that homing uses; empty: beside the command topic, or /action_server/ptp_motion'),
    )
    moveit_group: str = field(default='fr3_arm', metadata=param('planning group of the arm; used by homing moveit'))
    moveit_params_file: str = field(
        default='', metadata=param('ROS parameter file for MoveItPy: robot description, pipelines, controllers; used by homing moveit')
    )
    home_speed_scale: float = _number(0.5, 'share of the velocity limit used by go_home by default', unit='', bounds=(0.05, 1.0))
    tick_hz: float = _number(50.0, 'how often a trajectory is made', unit='Hz', bounds=(20.0, 200.0))
    lead_s: float = _number(
        0.1, 'a new piece takes over this long from now; longer than a message may take to the driver', unit='s', bounds=(0.02, 0.3)
    )
    stop_lead_s: float = _number(
        0.05, 'the same for a ramp to rest, which has to come sooner; at most lead_s', unit='s', bounds=(0.02, 0.3)
    )
    active_s: float = _number(
        0.03, 'motion before the ramp to rest begins; longer than a tick, so that a late tick changes nothing', unit='s', bounds=(0.01, 0.2)
    )
    point_period_s: float = _number(0.01, 'time between two published points', unit='s', bounds=(0.002, 0.02))
    stop_time_s: float = _number(
        0.17, 'a stop from full commanded speed takes at most this long; bounds the speed', unit='s', bounds=(0.05, 2.0)
    )
    position_margin_rad: float = _number(0.02, 'commands stay this far inside the position limits', unit='rad', bounds=(0.005, 0.5))
    estimate_timeout_s: float = _number(0.3, 'without a usable estimate for this long the arm ramps to rest', unit='s', bounds=(0.05, 2.0))
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
    follow_bound_rad: float = _number(0.05, 'largest difference between measured and commanded joints', unit='rad', bounds=(0.01, 1.0))
    follow_patience_s: float = _number(0.1, 'the difference may last this long before the arm holds', unit='s', bounds=(0.05, 5.0))
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
    require_home: bool = field(default=False, metadata=param('a task begins only at the home pose'))
    start_tolerance_rad: float = _number(0.05, 'every joint this close to home counts as home', unit='rad', bounds=(0.001, 0.5))
    deadman: bool = field(
        default=False,
        metadata=param('the arm moves only while the topic deadman says several times a second that the enabling button is held'),
    )
    deadman_timeout_s: float = _number(
        0.3, 'without a word on deadman for this long the button counts as released', unit='s', bounds=(0.1, 2.0)
    )
    dry_run: bool = field(
        default=False,
        metadata=param('make commands and count them, but publish them on dry_run/command and never on the topic of the driver'),
    )
    driver_state: str = field(
        default='', metadata=param('how the driver reports the mode of the robot: franka, text; empty: the mode is not watched')
    )
    driver_state_topic: str = field(
        default='/franka_robot_state_broadcaster/robot_state', metadata=param('where it does; used when driver_state is set')
    )
    driver_state_timeout_s: float = _number(
        0.5, 'a mode older than this counts as unknown, and the arm holds', unit='s', bounds=(0.05, 5.0)
    )
    recovery: str = field(
        default='', metadata=param('how the driver is asked to recover by the service recover: franka, trigger; empty: it cannot be asked')
    )
    recovery_name: str = field(
        default='/action_server/error_recovery', metadata=param('name of the action or service of recovery; used when recovery is set')
    )
    watch_divergence: bool = field(
        default=True, metadata=param('slow down, hold and stop when the pictures do not show the motion the joints report')
    )
    gain_slow: float = _number(
        0.3, 'slower when a joint moves the image by less than this share of what it should', unit='', bounds=(0.0, 1.0)
    )
    gain_hold: float = _number(0.1, 'hold below this share; below gain_slow', unit='', bounds=(-1.0, 0.9))
    agreement_slow: float = _number(
        0.8, 'slower below this cosine between the image motion expected of the joints and the one seen', unit='', bounds=(0.0, 1.0)
    )
    agreement_hold: float = _number(0.72, 'hold below this cosine; below agreement_slow', unit='', bounds=(-1.0, 0.95))
    required_nodes: tuple[str, ...] = field(
        default=('planner_node', 'flow_node', 'jidm_node', 'executive_node'),
        metadata=param('the arm ramps to rest when one of these was alive and is gone'),
    )
    command_backend: str = field(
        default='trajectory', metadata=param('how commands are handed to the driver: trajectory, servo, velocity or allegro_position')
    )
    stream_hz: float = _number(
        100.0, 'commands per second to a driver that takes one at a time (not used by trajectory)', unit='Hz', bounds=(20.0, 500.0)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutiveParams(NodeParams):
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
    max_replans: int = field(
        default=2,
        metadata=param('so often the planner is asked anew when the pictures do not show the motion, then the task ends', low=0, high=20),
    )
    home_timeout_s: float = _number(
        60.0, 'a task with home_first ends when home is not reached in this time', unit='s', bounds=(1.0, 600.0)
    )
    required_nodes: tuple[str, ...] = field(
        default=('planner_node', 'flow_node', 'jidm_node', 'controller_node'),
        metadata=param('a task ends when one of these was alive and is gone'),
    )
