# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The set-ups by name: what each can be told, and the nodes it makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from vera_bringup.arguments import FLAGS, LOG_LEVELS, NONE, Argument, complete, text_of
from vera_bringup.cameras.presets import PRESETS, camera_nodes
from vera_bringup.drivers import ALLEGRO_DRIVERS, FRANKA_DRIVERS, ROBOT_TYPES, ChosenDriver, allegro_driver, franka_driver
from vera_bringup.specs import DriverSpec, NodeSpec, ParameterValue, SystemSpec
from vera_bringup.viewers import black_box_node, operator_nodes, recorder, rviz_nodes
from vera_control.homing import CONTROLLER, MOVERS
from vera_planner.registry import PLANNERS as PLANNER_REGISTRY

PLANNERS = PLANNER_REGISTRY.names
"""Planner backends a set-up can be started with."""

Values = Mapping[str, str]
"""A checked value for every argument of a set-up."""
Nodes = tuple[NodeSpec, ...]

ROBOT = 'Embodiment: the name of a shipped robot'
ROBOT_FILE = 'the path of its YAML file'


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """One set-up: what it is, what it can be told, and how its description is made."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    make: Callable[[SetUp, Values], SystemSpec]

    def describe(self, given: Values) -> SystemSpec:
        """Return its description.

        Raises:
            ConfigError: If an argument or a value is unknown, or the values do not go together.
        """
        values = complete(self.name, self.arguments, given)
        return _with_common(self.make(self, values), values)


def _arguments(*, robot: str, planner: str, is_real: bool, before: tuple[Argument, ...] = (), cameras: str = '') -> tuple[Argument, ...]:
    """Return what the set-up itself can be told, then what every set-up can be told; the real ones start out careful."""
    camera_arguments = (
        (
            Argument(
                name='cameras',
                default=cameras,
                choices=(NONE, *(['sim'] if cameras == 'sim' else []), *PRESETS),
                also='the path of a preset of your own',
                text='Camera drivers to start beside the nodes',
            ),
        )
        if cameras
        else ()
    )
    return (
        Argument(name='namespace', default='vera', text='Namespace of all nodes and of the topics between them'),
        *before,
        Argument(name='robot', default=robot, text=ROBOT, also=ROBOT_FILE),
        Argument(name='planner', default=planner, choices=PLANNERS, text='Planner backend'),
        Argument(
            name='field', default=NONE, text="Folder with the weights of the Jacobian field; none: the robot's own, inside the package"
        ),
        *camera_arguments,
        Argument(name='params_file', default=NONE, text='ROS parameter file whose values come on top of everything; none: no such file'),
        Argument(
            name='use_sim_time',
            default='false',
            choices=FLAGS,
            text='Take the time from /clock, for recordings that are played; never on a robot',
        ),
        Argument(
            name='dry_run',
            default=text_of(is_real),
            choices=FLAGS,
            text='Work out and show every command on dry_run/command, but send none to the robot',
        ),
        Argument(
            name='deadman',
            default=text_of(is_real),
            choices=FLAGS,
            text='Move only while somebody holds the dead-man switch (topic deadman, at least 5 messages a second)',
        ),
        Argument(
            name='speed_scale',
            default='0.1' if is_real else '1.0',
            text='Share of the speed that is commanded, above 0 and up to 1; a live parameter of controller_node',
        ),
        Argument(
            name='operator_page',
            default=text_of(is_real),
            choices=FLAGS,
            text='Serve the page an operator works with, on this machine alone',
        ),
        Argument(name='record', default=NONE, text='Record everything into this file, which ends in .mcap; none: no recording'),
        Argument(name='rviz', default='false', choices=FLAGS, text='Open rviz2 with robot, ghost, dream and flow; it needs a display'),
        Argument(
            name='black_box',
            default='true',
            choices=FLAGS,
            text='Keep the last 30 s of everything in memory and write them to ~/.ros/vera_blackbox at every stop, and at every hold for a fault',
        ),
        Argument(name='autostart', default='true', choices=FLAGS, text='Activate every node as soon as its checks pass'),
        Argument(name='log_level', default='info', choices=LOG_LEVELS, text='Log level of all nodes'),
    )


def _walk(robot: str, values: Values, *, simulator: Nodes, auto_arm: bool) -> Nodes:
    """Return the nodes in the order of the walk."""
    common: dict[str, ParameterValue] = {'robot': robot}
    field: dict[str, ParameterValue] = {} if values['field'] == NONE else {'field_weights': values['field']}
    # A simulator is a node that can be lost as well; a real driver is watched through its joint states.
    others: ParameterValue = [*(node.name for node in simulator), 'planner_node', 'flow_node', 'jidm_node', 'executive_node']
    controller: dict[str, ParameterValue] = {'auto_arm': auto_arm, 'required_nodes': others}
    if values['speed_scale'] != '1.0':
        controller['speed_scale'] = float(values['speed_scale'])
    for flag in ('dry_run', 'deadman'):
        if values[flag] == 'true':
            controller[flag] = True
    return (
        *simulator,
        NodeSpec(package='vera_planner', executable='planner_node', parameters={**common, 'backend': values['planner']}),
        NodeSpec(package='vera_jidm', executable='flow_node', parameters=common),
        NodeSpec(package='vera_jidm', executable='jidm_node', parameters={**common, **field}),
        NodeSpec(package='vera_control', executable='controller_node', parameters={**common, **controller}),
        NodeSpec(package='vera_control', executable='executive_node', parameters=common),
    )


def _with_common(system: SystemSpec, values: Values) -> SystemSpec:
    """Put what every set-up can be told into its description. Only what differs from the nodes' own defaults is said."""
    common: dict[str, ParameterValue] = {}
    if values['use_sim_time'] == 'true':
        common['use_sim_time'] = True
    if values['autostart'] == 'false':
        common['autostart'] = False
    viewers = operator_nodes(system.robot) if values['operator_page'] == 'true' else ()
    if values['record'] != NONE:
        viewers += (recorder(values['record'], system.robot, values['namespace']),)
    if values['rviz'] == 'true':
        viewers += rviz_nodes(system.robot, has_transforms=system.driver is not None)
    if values['black_box'] == 'true':
        viewers += (black_box_node(system),)
    params_file = '' if values['params_file'] == NONE else values['params_file']
    system = replace(system, companions=(*system.companions, *viewers), params_file=params_file, log_level=values['log_level'])
    return (system.with_all_parameters(common) if common else system).with_namespace(values['namespace'])


def _remapped(nodes: Nodes, remappings: Mapping[str, str]) -> Nodes:
    return tuple(replace(node, remappings={**node.remappings, **remappings}) for node in nodes)


# -- simulation ----------------------------------------------------------------------------------------------------------


def _simulated(set_up: SetUp, values: Values) -> SystemSpec:
    robot = values['robot']
    simulator = (NodeSpec(package='vera_sim', executable='sim_node', parameters={'robot': robot}),)
    # No person stands beside a simulated robot, so it may arm itself; on a robot `arm` stays an operator's call.
    return _system(set_up, values, robot, _walk(robot, values, simulator=simulator, auto_arm=True))


# -- real robots, and a stand-in for a driver ----------------------------------------------------------------------------


def _panda_real(set_up: SetUp, values: Values) -> SystemSpec:
    robot = ROBOT_TYPES[values['robot_type']] if values['robot'] == NONE else values['robot']
    return _driven(set_up, values, robot, franka_driver(values, robot))


def _allegro_real(set_up: SetUp, values: Values) -> SystemSpec:
    driver = allegro_driver(values)
    return _driven(set_up, values, driver.robot if values['robot'] == NONE else values['robot'], driver)


def _driven(set_up: SetUp, values: Values, robot: str, driver: ChosenDriver) -> SystemSpec:
    """Return the description of a set-up with a real driver and real cameras."""
    nodes = _remapped(_walk(robot, values, simulator=(), auto_arm=False), driver.remappings)
    companions = (*driver.nodes, *camera_nodes(values['cameras'], robot))
    system = _system(set_up, values, robot, nodes, companions=companions, driver=driver.spec)
    return system.with_parameters('controller_node', driver.controller)


def _panda_mock(set_up: SetUp, values: Values) -> SystemSpec:
    """The driver's stand-in moves, and a camera node draws the robot where the stand-in says it is: the loop is closed, contact apart."""
    robot = values['robot']
    # A real arm says where it is a thousand times a second, which six Python nodes on two cores have no time for.
    mock = NodeSpec(package='vera_sim', executable='mock_driver_node', parameters={'robot': robot, 'joint_state_rate_hz': 250.0})
    drawn = (NodeSpec(package='vera_sim', executable='camera_node', parameters={'robot': robot}),) if values['cameras'] == 'sim' else ()
    companions = () if values['cameras'] == 'sim' else camera_nodes(values['cameras'], robot)
    return _system(set_up, values, robot, _walk(robot, values, simulator=(mock, *drawn), auto_arm=True), companions=companions)


def _system(
    set_up: SetUp, values: Values, robot: str, nodes: Nodes, *, companions: Nodes = (), driver: DriverSpec | None = None
) -> SystemSpec:
    return SystemSpec(
        name=set_up.name,
        description=set_up.description,
        robot=robot,
        namespace=values['namespace'],
        nodes=nodes,
        companions=companions,
        driver=driver,
    )


_FRANKA = (
    Argument(
        name='robot_type',
        default='fr3',
        choices=tuple(ROBOT_TYPES),
        text='Which arm: fr3 works with franka_ros2 on this machine; fer and panda (the same older arm under two joint names) need a driver '
        'on another machine, because franka_ros2 of Jazzy cannot speak to them',
    ),
    Argument(name='robot_ip', default='172.16.0.2', text='Address of the arm, as in its Desk page; used by the driver franka_ros2 alone'),
    Argument(
        name='driver',
        default='auto',
        choices=('auto', *FRANKA_DRIVERS),
        text='Who drives the arm: franka_ros2 is started here; franka_ros2_elsewhere is the same on another machine; external is any other driver that '
        'runs already; auto: franka_ros2 for fr3, external for fer and panda',
    ),
    Argument(
        name='driver_namespace', default=NONE, text="Namespace of the driver's topics, for two arms on one network; none: no namespace"
    ),
    Argument(
        name='homing',
        default=CONTROLLER,
        choices=(CONTROLLER, *MOVERS.names),
        text='Who leads the arm to a pose: controller_node itself, or others on its behalf (src/vera_control/README.md#homing)',
    ),
    Argument(
        name='load_gripper', default='false', choices=FLAGS, text='Start the driver of the Franka hand too; used by franka_ros2 alone'
    ),
)
_ALLEGRO = (
    Argument(
        name='driver',
        default='wonik_v4',
        choices=ALLEGRO_DRIVERS,
        text='Who drives the hand: wonik_v4 (allegro_hand_ros2, ros2_control), wonik_v5 (allegro_hand_ros2_v5); external: one of the robot '
        'file, which runs already',
    ),
    Argument(name='hand', default='right', choices=('right', 'left'), text='Which hand is mounted'),
    Argument(name='can_device', default='can0', text='CAN interface of the hand; wonik_v5 alone, wonik_v4 has it in its own files'),
)


def _real_arguments(before: tuple[Argument, ...]) -> tuple[Argument, ...]:
    arguments = _arguments(robot=NONE, planner='recorded', is_real=True, before=before, cameras=NONE)
    other = "Embodiment when it is not the set-up's own: the name of a shipped robot"
    return tuple(replace(argument, text=other) if argument.name == 'robot' else argument for argument in arguments)


_ALL = (
    SetUp(
        name='panda_sim',
        description='Franka Panda at a table with coloured cubes, simulated by MuJoCo',
        arguments=_arguments(robot='panda', planner='embedded', is_real=False),
        make=_simulated,
    ),
    SetUp(
        name='panda_mock',
        description="Franka Panda without physics: a stand-in that follows joint_trajectory_controller's documented rules",
        arguments=_arguments(robot='panda', planner='embedded', is_real=False, cameras='sim'),
        make=_panda_mock,
    ),
    SetUp(
        name='panda_real',
        description='Franka FR3 (or an older Panda through a driver elsewhere); never run on hardware',
        arguments=_real_arguments(_FRANKA),
        make=_panda_real,
    ),
    SetUp(
        name='allegro_sim',
        description='Allegro hand with a cube on its palm, simulated by MuJoCo; planner_node needs a recording',
        arguments=_arguments(robot='allegro', planner='recorded', is_real=False),
        make=_simulated,
    ),
    SetUp(
        name='allegro_real',
        description='Allegro hand V4 or V5 through the drivers of Wonik Robotics; never run on hardware',
        arguments=_real_arguments(_ALLEGRO),
        make=_allegro_real,
    ),
)
SET_UPS: Mapping[str, SetUp] = {set_up.name: set_up for set_up in sorted(_ALL, key=lambda set_up: set_up.name)}
"""Set-ups by name."""
