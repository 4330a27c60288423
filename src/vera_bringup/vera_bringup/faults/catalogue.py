# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every fault there is, by the set-up it is tried in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rclpy.qos import QoSProfile
from std_msgs.msg import Float64

from vera_bringup.faults import blocked
from vera_bringup.faults.drill import run_fault
from vera_bringup.faults.fault import Fault, FaultRow
from vera_bringup.faults.limits import SIDES, limits_system, run_limits
from vera_bringup.faults.people import PEOPLE_FAULTS
from vera_bringup.faults.processes import PROCESS_FAULTS
from vera_bringup.faults.rig import Rig, running_rig
from vera_bringup.faults.spoiled import CAMERA_FAULTS, CLOCK_FAULTS, JOINT_FAULTS, REPLY_FAULTS
from vera_bringup.faults.streams import PREFIX, with_relay
from vera_bringup.system import load_system
from vera_core.embodiment import load_embodiment
from vera_core.ros import qos


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One row of the table: what is tried, and how."""

    name: str
    text: str
    run: Callable[[Rig], FaultRow]


def _trials(set_up: str, faults: tuple[Fault, ...]) -> tuple[Trial, ...]:
    return tuple(Trial(name=fault.name, text=fault.text, run=partial(run_fault, fault=fault, set_up=set_up)) for fault in faults)


TRIALS: Mapping[str, tuple[Trial, ...]] = {
    'relay': _trials('relay', (*CAMERA_FAULTS, *JOINT_FAULTS, *REPLY_FAULTS, *PEOPLE_FAULTS)),
    'plain': _trials('plain', PROCESS_FAULTS),
    'clock': _trials('clock', CLOCK_FAULTS),
    'obstacle': (Trial(name=blocked.NAME, text=blocked.TEXT, run=blocked.run_blocked),),
    'limits': tuple(
        Trial(name=f'limits-{side}', text=f'every joint led against its {side} limit', run=partial(run_limits, side=side)) for side in SIDES
    ),
}
"""Set-up to what is tried in it."""


@contextmanager
def running_set_up(name: str, folder: Path, *, log_file: Path | None = None) -> Iterator[Rig]:
    """Start one of the set-ups of `TRIALS`.

    plain: panda_sim with the recorded planner, as shipped; relay: every stream led through the relay; clock: the controller on a clock that
    jumps; obstacle: a pane of glass in the way; limits: mock driver and controller alone.

    Raises:
        SessionError: If it does not start.
    """
    system, source = load_system('panda_sim', planner='recorded'), ''
    more: dict[str, tuple[type, QoSProfile]] = {}
    if name in ('relay', 'clock'):
        system = with_relay(system, parameters={'clock': name == 'clock'})
        source = f'/{PREFIX}{load_embodiment(system.robot).driver.joint_states_topic}'
    if name == 'clock':
        system = system.with_parameters('controller_node', {'use_sim_time': True})
    if name == 'obstacle':
        system = system.with_parameters('sim_node', {'obstacle': list(blocked.PLATE)})
        more[blocked.PUSH_TOPIC] = (Float64, qos.SENSOR)
    if name == 'limits':
        system = limits_system(folder)
    with running_rig(system, log_file=log_file, states_topic=source, record=more) as rig:
        yield rig
