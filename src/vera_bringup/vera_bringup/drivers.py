# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Drivers of real robots: which package drives which hardware, how to get it, and where its topics are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vera_bringup.arguments import NONE
from vera_bringup.files import shared_file
from vera_bringup.specs import DriverSpec, NodeSpec, ParameterValue
from vera_control.homing import CONTROLLER
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError

ROBOT_TYPES: Mapping[str, str] = {'fr3': 'fr3', 'fer': 'panda@fer', 'panda': 'panda'}
"""Arm to robot file. The Panda of 2017 to 2022 is called fer in newer descriptions; its joints are fer_joint1 or panda_joint1."""

FRANKA_DRIVERS = ('franka_ros2', 'franka_ros2_elsewhere', 'external')
ALLEGRO_DRIVERS = ('wonik_v4', 'wonik_v5', 'external')

FRANKA_INSTALL = (
    'franka_ros2 is built from source: mkdir -p ~/franka_ws/src && cd ~/franka_ws && '
    'git clone -b jazzy https://github.com/frankarobotics/franka_ros2.git src && vcs import src < src/dependency.repos --recursive --skip-existing && '
    'rosdep install --from-paths src --ignore-src --rosdistro jazzy -y --skip-keys=zed_wrapper && '
    'colcon build --cmake-args -DCMAKE_BUILD_TYPE=Release && source install/setup.bash'
)
ALLEGRO_INSTALL: Mapping[str, str] = {
    'wonik_v4': 'it is built from source: git clone https://github.com/Wonikrobotics-git/allegro_hand_ros2.git into the src folder of your '
    'workspace, then rosdep install --from-paths src --ignore-src -r -y && colcon build && source install/setup.bash',
    'wonik_v5': 'it is built from source: git clone https://github.com/Wonikrobotics-git/allegro_hand_ros2_v5.git into the src folder of your '
    'workspace, then colcon build && source install/setup.bash; its authors name Foxy and Humble, so it may have to run on another machine: driver:=external',
}
V5_TOPICS = ('allegroHand/joint_states', 'allegroHand/joint_cmd', 'allegroHand/lib_cmd')
HOME_FIRST: Mapping[str, ParameterValue] = {'require_home': True}
# Soft fingers sag under load: a resting reference that was put to the measured joints would let them down a little with every rest.
ALLEGRO_CONTROLLER: Mapping[str, ParameterValue] = {
    **HOME_FIRST,
    'command_backend': 'allegro_position',
    'rest_bound_rad': 0.25,
    'follow_bound_rad': 0.25,
}
PTP_ACTION = '/action_server/ptp_motion'
CONTROLLER_TIMEOUT_S = 60
"""The arm may take this long to answer its driver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenDriver:
    """What a set-up gets from its driver."""

    robot: str
    """Robot file with the driver's topics and joint names."""
    spec: DriverSpec | None = None
    """Another package's launch file; None where there is none to include."""
    nodes: tuple[NodeSpec, ...] = ()
    """Drivers that are plain nodes."""
    remappings: Mapping[str, str] = field(default_factory=dict)
    """From the topics of the robot file to where the driver has them."""
    controller: Mapping[str, ParameterValue] = field(default_factory=dict)
    """Parameters of controller_node: how the driver reports the mode of the robot, and how it is asked to recover."""


def franka_driver(values: Mapping[str, str], robot: str) -> ChosenDriver:
    """Choose the driver of a Franka arm.

    Raises:
        ConfigError: If franka_ros2 is asked to drive an arm it cannot speak to.
    """
    robot_type = values['robot_type']
    name = values['driver']
    if name == 'auto':
        name = 'franka_ros2' if robot_type == 'fr3' else 'external'
    if name != 'external' and robot_type != 'fr3':
        raise ConfigError(
            f'driver:={name} cannot drive robot_type:={robot_type}: franka_ros2 of Jazzy needs libfranka 0.20, which speaks to the FR3 alone; '
            f'the older arm (system 4.2) needs libfranka 0.9 in a driver on another machine, here driver:=external (docs/panda_real.md)'
        )
    prefix = '' if values['driver_namespace'] == NONE else '/' + values['driver_namespace'].strip('/')
    topics = load_embodiment(robot).driver
    # joint_states of franka_ros2 is a 30 Hz summary; the 1 kHz stream of its joint_state_broadcaster is under franka/.
    states = '/franka/joint_states' if name != 'external' else topics.joint_states_topic
    wanted = {topics.joint_states_topic: prefix + states, topics.command_topic: prefix + topics.command_topic}
    remappings = {topic: target for topic, target in wanted.items() if topic and topic != target}
    homing = _homing(values['homing'], prefix, topics.command_topic)
    if name == 'external':
        return ChosenDriver(robot=robot, remappings=remappings, controller={**HOME_FIRST, **homing})
    controller: dict[str, ParameterValue] = {
        **HOME_FIRST,
        **homing,
        'driver_state': 'franka',
        'driver_state_topic': f'{prefix}/franka_robot_state_broadcaster/robot_state',
        # The driver is asked by the service `recover` alone, that is by a person: nothing recovers by itself.
        'recovery': 'franka',
        'recovery_name': f'{prefix}/action_server/error_recovery',
    }
    spec = _franka_launch(values, prefix) if name == 'franka_ros2' else None
    return ChosenDriver(robot=robot, spec=spec, remappings=remappings, controller=controller)


def _homing(name: str, prefix: str, command_topic: str) -> Mapping[str, ParameterValue]:
    """Return the parameters of controller_node for a way of homing: actions are found by name, which no remapping of topics reaches."""
    if name == CONTROLLER:
        return {}
    if not prefix:
        return {'homing': name}
    action = PTP_ACTION if name == 'ptp_motion' else f'{command_topic.rpartition("/")[0]}/follow_joint_trajectory'
    return {'homing': name, 'homing_action': f'{prefix}{action}'}


def _franka_launch(values: Mapping[str, str], prefix: str) -> DriverSpec:
    """Return franka_bringup's launch file, and the spawner of the controller that takes our commands."""
    spawner = NodeSpec(
        package='controller_manager',
        executable='spawner',
        alias='spawn_joint_trajectory_controller',
        arguments=(
            'joint_trajectory_controller',
            '--controller-manager',
            f'{prefix}/controller_manager',
            '--controller-manager-timeout',
            str(CONTROLLER_TIMEOUT_S),
        ),
        install='sudo apt install ros-jazzy-controller-manager ros-jazzy-joint-trajectory-controller',
    )
    return DriverSpec(
        package='franka_bringup',
        launch_file='franka.launch.py',
        arguments={
            'robot_type': values['robot_type'],
            'arm_prefix': '',
            'namespace': prefix.strip('/'),
            'robot_ip': values['robot_ip'],
            'load_gripper': values['load_gripper'],
            'use_fake_hardware': 'false',
            'controllers_yaml': str(shared_file('config/fr3_controllers.yaml')),
        },
        install=FRANKA_INSTALL,
        ready=spawner,
    )


def allegro_driver(values: Mapping[str, str]) -> ChosenDriver:
    """Choose the driver of the Allegro hand. The robot file itself has the topics of the V5 driver."""
    name, hand = values['driver'], values['hand']
    if name == 'external':
        return ChosenDriver(robot='allegro', controller=ALLEGRO_CONTROLLER)
    if name == 'wonik_v4':
        spec = DriverSpec(
            package='allegro_hand_bringup',
            launch_file='allegro_hand.launch.py',
            # Its use_sim_time is true unless told otherwise.
            arguments={'device': 'v4', 'hand': hand, 'ros2_control_hardware_type': 'physical_device', 'use_sim_time': 'false'},
            install=ALLEGRO_INSTALL[name],
        )
        return ChosenDriver(robot='allegro@wonik_v4', spec=spec, controller=ALLEGRO_CONTROLLER)
    # Its launch file asks for the password of sudo to set up CAN, so its node is started alone.
    node = NodeSpec(
        package='allegro_hand_controllers',
        executable='allegro_node_grasp',
        alias='allegro_driver',
        parameters={'hand_info/which_hand': hand, 'hand_info/which_type': 'A', 'comm/CAN_CH': values['can_device']},
        remappings={topic: f'/{topic.replace("allegroHand", "allegroHand_0")}' for topic in V5_TOPICS},
        arguments=('true',),
        install=ALLEGRO_INSTALL[name],
    )
    return ChosenDriver(robot='allegro', nodes=(node,), controller=ALLEGRO_CONTROLLER)
