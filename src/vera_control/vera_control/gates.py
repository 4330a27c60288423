# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is let in: every gate passes a message whole or refuses it whole, with the value, the limit and what to do. Nothing is clipped here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vera_control.limits import JointLimits
from vera_core.errors import Refusal
from vera_core.shapes import FloatArray
from vera_core.types import JointVelocity, RobotState

JUMP_TOLERANCE_RAD = 0.05
"""Noise of measured joints."""
FUTURE_TOLERANCE_S = 0.05
"""A stamp this far ahead of the clock is still taken as clock noise, s."""


def gate_values(what: str, names: Sequence[str], values: Sequence[float] | FloatArray, wanted: Sequence[str]) -> Refusal | None:
    """Refuse a set of named joint values that has wrong names, a wrong length or a value that is not finite."""
    if sorted(names) != sorted(wanted):
        missing = [name for name in wanted if name not in names]
        extra = [name for name in names if name not in wanted]
        return Refusal(
            'wrong_names',
            f'{what} refused whole: joints {list(names)} do not fit; missing {missing}, unknown {extra}; send {list(wanted)} in any order',
        )
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (len(wanted),):
        return Refusal('wrong_length', f'{what} refused whole: {array.size} values for {len(wanted)} joints; send one value per joint name')
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        first = int(bad[0])
        return Refusal('not_finite', f'{what} refused whole: {names[first]} is {array[first]}; every value must be finite')
    return None


def gate_stamp(what: str, stamp_ns: int, now_ns: int, *, newest_ns: int | None, max_age_s: float) -> Refusal | None:
    """Refuse a stamp that lies in the future, is too old, or is not newer than the newest one let in."""
    age_s = (now_ns - stamp_ns) * 1e-9
    if age_s < -FUTURE_TOLERANCE_S:
        return Refusal(
            'from_the_future',
            f'{what} refused whole: its stamp is {-age_s:.3f} s ahead of the clock; synchronise the clocks of the machines',
        )
    if age_s > max_age_s:
        return Refusal(
            'too_old',
            f'{what} refused whole: it is {age_s:.3f} s old, at most {max_age_s:.3f} s is allowed; look for the slow or stopped node before it',
        )
    if newest_ns is not None and stamp_ns <= newest_ns:
        return Refusal(
            'out_of_order',
            f'{what} refused whole: its stamp is {(newest_ns - stamp_ns) * 1e-9:.3f} s before the newest one (or the same); '
            'is something replayed or sent by two nodes?',
        )
    return None


def gate_estimate(estimate: JointVelocity, now_ns: int, *, limits: JointLimits, newest_ns: int | None, max_age_s: float) -> Refusal | None:
    """Refuse an estimate whose length, numbers, stamp or speed cannot be right.

    A speed above the *shaped* limit is normal and scaled later; a speed above the manufacturer's own limit means that the estimate is
    wrong.
    """
    refusal = gate_values('velocity estimate', limits.names, estimate.delta_q, limits.names)
    if refusal is not None:
        return refusal
    scalars = {'dt': estimate.dt_s, 'residual_ratio': estimate.residual_ratio, 'residual': estimate.residual_px}
    for name, value in scalars.items():
        if not np.isfinite(value) or value < 0 or (name == 'dt' and value == 0):
            return Refusal(
                'not_finite', f'velocity estimate refused whole: {name} is {value}; it must be finite and not negative (dt above 0)'
            )
    if estimate.observability.shape != estimate.delta_q.shape:
        return Refusal(
            'wrong_length', f'velocity estimate refused whole: {estimate.observability.size} observabilities for {len(limits.names)} joints'
        )
    refusal = gate_stamp('velocity estimate', estimate.stamp_ns, now_ns, newest_ns=newest_ns, max_age_s=max_age_s)
    if refusal is not None:
        return refusal
    excess = np.abs(estimate.velocity) / limits.robot_velocity
    worst = int(np.argmax(excess))
    if excess[worst] > 1:
        return Refusal(
            'over_limit',
            f'velocity estimate refused whole: {limits.names[worst]} at {estimate.velocity[worst]:.3f} rad/s, the robot can do '
            f'{limits.robot_velocity[worst]:.3f} rad/s; check the flow and the Jacobian field',
        )
    return None


def gate_state(state: RobotState, now_ns: int, *, limits: JointLimits, newest_ns: int | None, max_age_s: float) -> Refusal | None:
    """Refuse measured joints with a wrong length or stamp."""
    refusal = gate_values('joint state', limits.names, state.position, limits.names)
    if refusal is not None:
        return refusal
    return gate_stamp('joint state', state.stamp_ns, now_ns, newest_ns=newest_ns, max_age_s=max_age_s)


def gate_jump(state: RobotState, last: RobotState | None, limits: JointLimits) -> Refusal | None:
    """Refuse measured joints that no motion of this robot can have led to since the last ones: mixed up names, two robots on one topic."""
    if last is None:
        return None
    elapsed_s = (state.stamp_ns - last.stamp_ns) * 1e-9
    excess = np.abs(state.position - last.position) - JUMP_TOLERANCE_RAD - limits.robot_velocity * elapsed_s
    worst = int(np.argmax(excess))
    if excess[worst] <= 0:
        return None
    distance = abs(float(state.position[worst] - last.position[worst]))
    return Refusal(
        'jump',
        f'joint state refused whole: {limits.names[worst]} is {distance:.3f} rad away from where it was {elapsed_s:.3f} s ago, the robot can do '
        f'{limits.robot_velocity[worst]:.3f} rad/s; are joints mixed up, or do two robots publish on this topic?',
    )


def gate_inside(position: FloatArray, limits: JointLimits) -> Refusal | None:
    """Refuse to move a robot that stands outside its position limits."""
    outside = np.maximum(limits.lower - position, position - limits.upper)
    worst = int(np.argmax(outside))
    if outside[worst] > 0:
        return Refusal(
            'over_limit',
            f'{limits.names[worst]} stands at {position[worst]:.4f} rad, outside [{limits.lower[worst]:.4f}, {limits.upper[worst]:.4f}]; '
            'move it back by hand before arming',
        )
    return None
