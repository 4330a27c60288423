# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Faults of processes: every node ended by every signal."""

from __future__ import annotations

import signal
from functools import partial

from vera_bringup.faults.fault import Fault
from vera_bringup.faults.rig import Rig
from vera_control.safety import Reason
from vera_core.ros.qos import ALIVE_LEASE_S

NODES = ('planner_node', 'flow_node', 'jidm_node', 'executive_node', 'controller_node', 'sim_node')
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
TAIL_S = 0.3
"""Length of the ramp to rest in every trajectory: lead, active part and stop."""


def _bring_back(rig: Rig, *, node: str) -> None:
    rig.bring_back(node)


def _end(rig: Rig, *, node: str, number: int) -> None:
    rig.send_signal(node, number)


def _fault(node: str, number: signal.Signals) -> Fault:
    is_hard = number is signal.SIGKILL
    reasons: tuple[Reason, ...] = (Reason.NODE_LOST,)
    known_after_s = ALIVE_LEASE_S
    if node == 'controller_node':
        # Killed it says nothing more, and the trajectory in force ends at rest by itself.
        reasons, known_after_s = ((), 0.0) if is_hard else ((Reason.OPERATOR_STOP,), 0.0)
    elif node == 'executive_node' and not is_hard:
        reasons = (Reason.NODE_LOST, Reason.NO_TASK)  # it ends its task before it goes
    elif node == 'sim_node':
        reasons = (Reason.NODE_LOST, Reason.STALE_JOINT_STATE)
    return Fault(
        name=f'{number.name}-{node}',
        text=f'{node} ended by {number.name}',
        act=partial(_end, node=node, number=number),
        mend=partial(_bring_back, node=node),
        reasons=reasons,
        known_after_s=known_after_s,
        rests_by_command=node == 'sim_node',
    )


PROCESS_FAULTS: tuple[Fault, ...] = tuple(_fault(node, number) for node in NODES for number in SIGNALS)
