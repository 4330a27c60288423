# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/parameters.md from the declarations in every node's params.py: `python -m vera_bringup.parameter_page > docs/parameters.md`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from vera_core.ros.params import ParameterInfo, describe

PARAMETER_CLASSES: Mapping[str, str] = {
    'sim_node': 'vera_sim.params:SimParams',
    'mock_driver_node': 'vera_sim.params:MockDriverParams',
    'camera_node': 'vera_sim.params:CameraParams',
    'planner_node': 'vera_planner.params:PlannerParams',
    'flow_node': 'vera_jidm.params:FlowParams',
    'jidm_node': 'vera_jidm.params:JidmParams',
    'controller_node': 'vera_control.params:ControllerParams',
    'executive_node': 'vera_control.params:ExecutiveParams',
    'blackbox_node': 'vera_bringup.recording.params:BlackBoxParams',
    'remote_policy_node': 'vera_control.remote_policy:RemotePolicyParams',
    'operator_node': 'vera_bringup.operator.params:OperatorParams',
    'view_node': 'vera_bringup.viewing.params:ViewParams',
    'fault_relay_node': 'vera_bringup.faults.params:FaultRelayParams',
}
"""Node to the dataclass that declares its parameters."""

HEAD = """# Parameters
Made by `python -m vera_bringup.parameter_page > docs/parameters.md` from the declarations in the nodes; a test compares. *Live* ones can be changed while the node runs
(`ros2 param set`), all together or not at all. A value of the wrong type or outside its bounds is refused in words.
"""


def declared(node_name: str) -> tuple[ParameterInfo, ...]:
    """Return the parameters a node declares."""
    module, name = PARAMETER_CLASSES[node_name].split(':')
    return describe(getattr(importlib.import_module(module), name))


def page() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for node_name in PARAMETER_CLASSES:
        parts.append(f'\n## {node_name}\n| parameter | default | unit | bounds | live | meaning |\n|---|---|---|---|---|---|\n')
        parts += [_row(info) for info in declared(node_name)]
    return ''.join(parts)


def _row(info: ParameterInfo) -> str:
    default = (
        ', '.join(info.default)
        if isinstance(info.default, tuple)
        else str(info.default).lower()
        if isinstance(info.default, bool)
        else info.default
    )
    return f'| `{info.name}` | {default if default != "" else "(empty)"} | {info.unit} | {info.bounds} | {"yes" if info.live else ""} | {info.text} |\n'


if __name__ == '__main__':
    print(page(), end='')
