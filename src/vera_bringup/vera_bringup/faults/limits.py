# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every joint led against both of its position limits, at a driver that knows nothing but joints."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import numpy as np
import yaml

from vera_bringup.faults.fault import FaultRow
from vera_bringup.faults.rig import Rig
from vera_bringup.specs import SystemSpec
from vera_bringup.system import load_system
from vera_control.params import ControllerParams
from vera_core.embodiment import load_embodiment
from vera_core.ros import qos
from vera_core.ros.messages import from_ns
from vera_core.shapes import Array, FloatArray
from vera_msgs.msg import JointVelocityEstimate, SafetyStatus

SPEED_RAD_S = 1.0
PERIOD_S = 0.06
AGE_NS = 50_000_000
PATIENCE_S = 40.0
NEAR_RAD = 0.01
"""This near to where commands end counts as having come to the limit, rad."""
SIDES = {'lower': -1.0, 'upper': 1.0}


def limits_system(folder: Path) -> SystemSpec:
    """Return mock driver and controller alone, for a Panda without shapes: distances to a table would end the motion before the limits do."""
    text = yaml.safe_load((resources.files('vera_core') / 'robots' / 'panda.yaml').read_text(encoding='utf-8'))
    for key in ('description', 'workspace', 'simulation'):
        text.pop(key, None)
    path = folder / 'panda_joints.yaml'
    path.write_text(yaml.safe_dump(text), encoding='utf-8')
    system = load_system('panda_mock', planner='recorded', arguments={'robot': str(path), 'cameras': 'none', 'black_box': 'false'})
    nodes = tuple(node for node in system.nodes if node.name in ('mock_driver_node', 'controller_node'))
    alone = replace(system, nodes=nodes, companions=())
    return alone.with_parameters('controller_node', {'require_task': False, 'required_nodes': ['mock_driver_node']})


def run_limits(rig: Rig, side: str) -> FaultRow:
    """Lead all joints to one side until they come no further.

    Raises:
        SessionError: If the controller does not arm.
    """
    session = rig.session
    session.wait_for(
        lambda: session.safety is not None and session.safety.state in (SafetyStatus.ARMED, SafetyStatus.HOLDING),
        timeout_s=20.0,
        what='arming',
    )
    robot, margin = session.robot, ControllerParams().position_margin_rad
    end = robot.limits(side) - SIDES[side] * margin
    session.recorder.start()
    deadline = time.monotonic() + PATIENCE_S
    with session.publisher(JointVelocityEstimate, 'joint_velocity', qos.STREAM) as publisher:
        reached: Array = np.zeros(len(end), dtype=bool)
        while not reached.all() and time.monotonic() < deadline:
            publisher.publish(_estimate(robot.joint_names, SIDES[side] * SPEED_RAD_S, rig.now_ns() - AGE_NS))
            time.sleep(PERIOD_S)
            position = rig.newest_joints()
            reached = SIDES[side] * (position - end) > -NEAR_RAD
        time.sleep(1.0)
    session.recorder.stop()
    _, _, joints = rig.speeds()
    return _row(rig, side, reached, joints)


def _row(rig: Rig, side: str, reached: Array, joints: FloatArray) -> FaultRow:
    robot = load_embodiment(rig.processes.system.robot)
    distance = np.minimum(joints - robot.limits('lower'), robot.limits('upper') - joints)
    problems = [f'joint {joint + 1} did not come to its limit' for joint in np.flatnonzero(~reached)]
    if distance.min() < 0:
        problems.append(f'joint {int(np.argmin(distance.min(axis=0))) + 1} was {-distance.min():.4f} rad outside')
    if rig.violations():
        problems.append(f'{rig.violations()} commands outside the limits')
    return FaultRow(
        name=f'limits-{side}',
        text=f'every joint led against its {side} limit',
        set_up='limits',
        passed=not problems,
        problem='; '.join(problems),
        figures={'least distance rad': float(distance.min())},
        violations=rig.violations(),
        measured=datetime.now(UTC).isoformat(timespec='seconds'),
    )


def _estimate(names: tuple[str, ...], velocity: float, stamp_ns: int) -> JointVelocityEstimate:
    count = len(names)
    message = JointVelocityEstimate(
        plan_id=1,
        task_id=1,
        step=1,
        dt=0.3,
        joint_names=list(names),
        velocity=[velocity] * count,
        delta_q=[0.3 * velocity] * count,
        std=[0.01] * count,
        observability=[1.0] * count,
        residual_ratio=0.1,
        residual=0.1,
        condition=5.0,
        remaining=20.0,
    )
    message.header.stamp = from_ns(stamp_ns)
    return message
