# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What every node of VERA says and hears, and the names that DDS has for it.

A running set-up is compared with this table in test_security.py, so that a node which learns a new topic cannot be forgotten here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from vera_bringup.specs import NodeSpec, SystemSpec
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError

OPERATOR = 'operator'
"""Enclave of the command line: `vera task`, `vera home`, `vera record` and whoever else works with the robot by hand."""
EVERYTHING = '**'
"""Everything there is to hear; for those who only listen."""

PARAMETER_SERVICES = (
    '~/describe_parameters',
    '~/get_parameter_types',
    '~/get_parameters',
    '~/list_parameters',
    '~/set_parameters',
    '~/set_parameters_atomically',
    '~/get_type_description',
)
LIFECYCLE_SERVICES = (
    '~/change_state',
    '~/get_state',
    '~/get_available_states',
    '~/get_available_transitions',
    '~/get_transition_graph',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Names as the node's own source says them: relative ones are in its namespace, `~` is the node itself.

    In braces stand those of the robot file: images, infos (of cameras), joints (where the driver measures), commands (where it listens).
    """

    publishes: tuple[str, ...] = ()
    subscribes: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    serves_actions: tuple[str, ...] = ()
    calls_actions: tuple[str, ...] = ()

    def plus(self, other: Access) -> Access:
        """Return what both may do together."""
        return Access(**{name: (*getattr(self, name), *getattr(other, name)) for name in self.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class DdsAccess:
    """The same in the names of DDS topics, sorted."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


EVERY_NODE = Access(
    publishes=('/rosout', '/parameter_events', '/diagnostics', 'alive/{node}', '~/transition_event'),
    subscribes=('/clock', '/parameter_events'),
    serves=(*PARAMETER_SERVICES, *LIFECYCLE_SERVICES),
)
PLAN_AND_TASK = ('plan', 'task')

NODES: Mapping[str, Access] = {
    'planner_node': Access(publishes=('plan', 'planner_status'), subscribes=('{images}', 'task', 'plan_verdict')),
    'flow_node': Access(publishes=('flow', '~/overlay'), subscribes=('{images}', 'plan_verdict', *PLAN_AND_TASK)),
    'jidm_node': Access(publishes=('joint_velocity', 'plan_verdict', '~/overlay'), subscribes=('{images}', '{joints}', 'flow', 'plan')),
    'controller_node': Access(
        publishes=('{commands}', 'dry_run/command', 'safety_status', 'control_journal'),
        subscribes=('joint_velocity', '{joints}', 'task', 'deadman', 'alive/*'),
        serves=('arm', 'stop', 'reset', 'recover'),
        serves_actions=('go_home',),
    ),
    'executive_node': Access(
        publishes=('task',),
        subscribes=('task_prompt', 'planner_status', 'joint_velocity', 'safety_status', 'alive/*'),
        serves_actions=('execute_task',),
        calls_actions=('go_home',),
    ),
    'operator_node': Access(
        publishes=('deadman',),
        subscribes=(
            *('{images}', '{joints}', '{commands}', 'joint_velocity', 'flow', 'jidm_node/overlay'),
            *('safety_status', 'planner_status', *PLAN_AND_TASK, 'alive/*'),
        ),
        calls=('arm', 'stop', 'reset', 'recover', 'controller_node/set_parameters'),
        calls_actions=('execute_task', 'go_home'),
    ),
    'blackbox_node': Access(subscribes=(EVERYTHING,), calls=('*/list_parameters', '*/get_parameters')),
    'view_node': Access(
        publishes=('robot_description', 'view/markers', 'view/dream'), subscribes=('plan', 'joint_velocity', '{joints}', '{commands}')
    ),
    'sim_node': Access(
        publishes=('{images}', '{infos}', '{joints}', 'sim/scene_status', 'sim/push'),
        subscribes=('{commands}',),
        serves=('sim/reset_scene',),
    ),
    'mock_driver_node': Access(publishes=('{joints}', 'sim/scene_status'), subscribes=('{commands}',)),
    'camera_node': Access(publishes=('{images}', '{infos}'), subscribes=('{joints}',)),
    OPERATOR: Access(
        publishes=('deadman', 'task_prompt'),
        subscribes=(EVERYTHING,),
        calls=(
            *('arm', 'stop', 'reset', 'recover', 'sim/reset_scene'),
            *('*/list_parameters', '*/get_parameters', '*/set_parameters', '*/change_state', '*/get_state'),
        ),
        calls_actions=('execute_task', 'go_home'),
    ),
}
"""Executable to what it does beside what every node does."""


def _controller_extras(node: NodeSpec) -> Access:
    """What the controller listens to and asks of a driver, as its parameters in the set-up say."""
    parameters, extra = node.parameters, Access()
    if parameters.get('homing_action'):
        extra = extra.plus(Access(calls_actions=(str(parameters['homing_action']),)))
    if parameters.get('driver_state'):
        extra = extra.plus(Access(subscribes=(str(parameters['driver_state_topic']),)))
    recovery = str(parameters.get('recovery', ''))
    if recovery:
        names = (str(parameters['recovery_name']),)
        extra = extra.plus(Access(calls=names) if recovery == 'trigger' else Access(calls_actions=names))
    return extra


EXTRAS: Mapping[str, Callable[[NodeSpec], Access]] = {'controller_node': _controller_extras}


def access_of(node: NodeSpec) -> Access:
    """Return what a node of a set-up says and hears.

    Raises:
        ConfigError: If nothing is known about the node.
    """
    if node.executable not in NODES:
        raise ConfigError(f'nothing is known about what {node.executable} says and hears; known: {", ".join(sorted(NODES))}')
    extra = EXTRAS[node.executable](node) if node.executable in EXTRAS else Access()
    return EVERY_NODE.plus(NODES[node.executable]).plus(extra)


def own_nodes(system: SystemSpec) -> tuple[NodeSpec, ...]:
    """Return the nodes of a set-up that are VERA's own, and the command line as one more."""
    nodes = tuple(node for node in system.processes if node.is_node and node.package.startswith('vera_'))
    return (*nodes, NodeSpec(package='vera_bringup', executable=OPERATOR))


def dds_access(node: NodeSpec, namespace: str, robot: Embodiment) -> DdsAccess:
    """Return what a node may publish and subscribe to, in the names of DDS.

    Args:
        node: With its remappings.
        namespace: Without the leading slash.
        robot: Names of camera and driver topics.
    """
    wanted, names = access_of(node), _Names(node, namespace, robot)
    publish, subscribe = set(names.topics(wanted.publishes)), set(names.topics(wanted.subscribes))
    for server, request_side, reply_side in ((True, subscribe, publish), (False, publish, subscribe)):
        services = names.resolved(wanted.serves if server else wanted.calls)
        actions = names.resolved(wanted.serves_actions if server else wanted.calls_actions)
        services += [f'{action}/_action/{part}' for action in actions for part in ('send_goal', 'cancel_goal', 'get_result')]
        request_side.update(f'rq{service}Request' for service in services)
        reply_side.update(f'rr{service}Reply' for service in services)
        reply_side.update(f'rt{action}/_action/{part}' for action in actions for part in ('feedback', 'status'))
    # Who is in the graph: every participant tells, every participant hears.
    publish.add('ros_discovery_info')
    subscribe.add('ros_discovery_info')
    return DdsAccess(tuple(sorted(publish)), tuple(sorted(subscribe)))


class _Names:
    """Full names as one node sees them."""

    def __init__(self, node: NodeSpec, namespace: str, robot: Embodiment) -> None:
        driver = robot.driver
        commands = (driver.command_topic, driver.position_command_topic, driver.velocity_command_topic)
        self._node, self._namespace = node.name, namespace.strip('/')
        self._places = {
            'images': tuple(view.image_topic for view in robot.views),
            'infos': tuple(view.camera_info_topic for view in robot.views if view.camera_info_topic),
            'joints': (driver.joint_states_topic,),
            'commands': tuple(topic for topic in commands if topic),
        }
        self._remapped = {self._full(name): self._full(target) for name, target in node.remappings.items()}

    def topics(self, names: Iterable[str]) -> list[str]:
        """Return DDS names of topics."""
        listed = [name for name in names if name != EVERYTHING]
        return [f'rt{name}' for name in self.resolved(listed)] + (['rt/*'] if EVERYTHING in names else [])

    def resolved(self, names: Iterable[str]) -> list[str]:
        """Return full ROS names."""
        full = [self._full(filled) for name in names for filled in self._filled(name)]
        return [self._remapped.get(name, name) for name in full]

    def _filled(self, name: str) -> tuple[str, ...]:
        return self._places[name[1:-1]] if name.startswith('{') else (name.replace('{node}', self._node),)

    def _full(self, name: str) -> str:
        if name.startswith('/'):
            return name
        place = f'/{self._namespace}' if self._namespace else ''
        return f'{place}/{self._node}{name[1:]}' if name.startswith('~') else f'{place}/{name}'
