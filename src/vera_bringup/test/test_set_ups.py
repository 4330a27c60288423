# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the set-ups make of their arguments, and that a wrong value is refused with the right ones."""

from __future__ import annotations

import pytest
import yaml

from vera_bringup.arguments import argument_table, parse_words
from vera_bringup.cameras.presets import PRESETS, camera_nodes, load_preset
from vera_bringup.files import shared_file
from vera_bringup.system import SYSTEMS, find_set_up, load_system
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError

REAL = ('allegro_real', 'panda_real')


def controller(system) -> dict:
    return dict(system.node('controller_node').parameters)


@pytest.mark.parametrize('name', REAL)
def test_a_real_robot_starts_careful(name):
    given = controller(load_system(name))
    assert (given['dry_run'], given['deadman'], given['speed_scale'], given['auto_arm']) == (True, True, 0.1, False)


@pytest.mark.parametrize('name', REAL)
def test_what_makes_a_real_robot_move_has_to_be_said(name):
    words = ['dry_run:=false', 'deadman:=false', 'speed_scale:=0.3']
    given = controller(load_system(name, arguments=parse_words(words)))
    assert given['speed_scale'] == 0.3
    assert 'dry_run' not in given
    assert 'deadman' not in given


def test_a_simulated_robot_sends_at_once():
    given = controller(load_system('panda_sim'))
    assert not {'dry_run', 'deadman', 'speed_scale'} & set(given)


@pytest.mark.parametrize('name', SYSTEMS)
def test_every_argument_is_explained_and_its_default_is_one_it_takes(name):
    set_up = find_set_up(name)
    names = [argument.name for argument in set_up.arguments]
    assert len(set(names)) == len(names)
    set_up.describe({argument.name: argument.default for argument in set_up.arguments})
    table = argument_table(set_up.arguments)
    for argument in set_up.arguments:
        assert argument.default, 'ros2 launch cannot be given an empty value'
        assert len(argument.text) > 12
        assert not argument.text.endswith('.')
        assert f"'{argument.name}':" in table


@pytest.mark.parametrize('name', SYSTEMS)
def test_a_value_that_cannot_be_is_refused_with_those_that_can(name):
    set_up = find_set_up(name)
    closed = [argument for argument in set_up.arguments if argument.is_closed]
    assert len(closed) >= 6
    for argument in closed:
        with pytest.raises(ConfigError, match=f"argument {argument.name} cannot be 'nonsense'; known: ") as error:
            set_up.describe({argument.name: 'nonsense'})
        assert all(choice in str(error.value) for choice in argument.choices)


@pytest.mark.parametrize(
    ('name', 'value', 'says'),
    [
        ('robot_ip', '172.16.0', 'an address like 172.16.0.2'),
        ('robot_ip', 'arm_1!', 'a host name'),
        ('speed_scale', '0', 'above 0 and up to 1'),
        ('speed_scale', '10%', 'above 0 and up to 1'),
        ('speed_scale', 'nan', 'above 0 and up to 1'),
        ('namespace', '9arm', 'begin with a letter'),
        ('driver_namespace', 'a b', 'begin with a letter'),
        ('params_file', '/no/such.yaml', 'no such file'),
        ('robot', '/no/such.yaml', 'no such file'),
        ('field', '/no/such', 'no such folder'),
        ('record', 'film.mp4', 'ends in .mcap'),
        ('record', '/no/such/film.mcap', 'in a folder that is there'),
    ],
)
def test_open_values_are_looked_at_too(name, value, says):
    with pytest.raises(ConfigError, match=f'argument {name} cannot be .*{says}'):
        load_system('panda_real', arguments={name: value})


def test_a_recording_is_a_program_beside_the_nodes(tmp_path):
    film = tmp_path / 'film.mcap'
    system = load_system('panda_sim', arguments={'record': str(film), 'namespace': '/left'})
    recorder = system.node('recorder')
    assert system.words(recorder) == ['record', str(film), '--robot', 'panda', '--namespace', 'left']
    film.touch()
    with pytest.raises(ConfigError, match='there is such a file already'):
        load_system('panda_sim', arguments={'record': str(film)})


def test_an_unknown_argument_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match=r"panda_real takes no argument 'robotip'.*Did you mean 'robot_ip'\?"):
        load_system('panda_real', arguments={'robotip': '172.16.0.2'})
    with pytest.raises(ConfigError, match="panda_sim takes no argument 'robot_ip'"):
        load_system('panda_sim', arguments={'robot_ip': '172.16.0.2'})


def test_words_that_are_no_arguments_are_refused():
    assert parse_words(['a:=1', 'a:=2', 'b:=x:=y']) == {'a': '2', 'b': 'x:=y'}
    for word in ('planner=embedded', ':=x', 'planner:=', 'planner'):
        with pytest.raises(ConfigError, match='write NAME:=VALUE'):
            parse_words([word])


# -- drivers -------------------------------------------------------------------------------------------------------------


def test_the_fr3_is_driven_by_franka_ros2_and_read_at_full_rate():
    system = load_system('panda_real', arguments={'robot_ip': '10.0.0.7'})
    assert system.robot == 'fr3'
    assert system.driver is not None
    assert (system.driver.package, system.driver.launch_file) == ('franka_bringup', 'franka.launch.py')
    assert system.driver.arguments['robot_ip'] == '10.0.0.7'
    assert system.driver.arguments['robot_type'] == 'fr3'
    assert system.driver.arguments['use_fake_hardware'] == 'false'
    assert system.driver.ready is not None
    assert system.driver.ready.arguments[0] == 'joint_trajectory_controller'
    # /joint_states is a 30 Hz summary in franka_ros2.
    topics = load_embodiment(system.robot).driver
    given = controller(system)
    assert (given['driver_state'], given['recovery'], given['require_home']) == ('franka', 'franka', True)
    remapped = dict(system.node('controller_node').remappings)
    assert remapped.get(topics.joint_states_topic, topics.joint_states_topic) == '/franka/joint_states'


def test_franka_ros2_on_another_machine_is_watched_the_same_but_not_started():
    here = load_system('panda_real')
    there = load_system('panda_real', arguments={'driver': 'franka_ros2_elsewhere'})
    assert there.driver is None
    assert controller(there) == controller(here)
    assert there.node('jidm_node').remappings == here.node('jidm_node').remappings


def test_a_namespace_of_the_driver_moves_its_topics_and_its_controller_manager():
    system = load_system('panda_real', arguments={'driver_namespace': '/left/'})
    for node in system.nodes:
        assert dict(node.remappings) == {
            '/franka/joint_states': '/left/franka/joint_states',
            '/joint_trajectory_controller/joint_trajectory': '/left/joint_trajectory_controller/joint_trajectory',
        }
    assert system.driver is not None
    assert system.driver.arguments['namespace'] == 'left'
    assert controller(system)['recovery_name'] == '/left/action_server/error_recovery'
    assert system.driver.ready is not None
    assert '/left/controller_manager' in system.driver.ready.arguments


def test_homing_by_others_asks_the_action_in_the_namespace_of_the_driver():
    assert 'homing' not in controller(load_system('panda_real'))
    assert controller(load_system('panda_real', arguments={'homing': 'moveit'}))['homing'] == 'moveit'
    for name, action in (
        ('ptp_motion', '/left/action_server/ptp_motion'),
        ('follow_joint_trajectory', '/left/joint_trajectory_controller/follow_joint_trajectory'),
    ):
        given = controller(load_system('panda_real', arguments={'homing': name, 'driver_namespace': 'left'}))
        assert (given['homing'], given['homing_action']) == (name, action)
    with pytest.raises(ConfigError, match="homing:=servo.*follow_joint_trajectory|'servo'"):
        load_system('panda_real', arguments={'homing': 'servo'})


@pytest.mark.parametrize('arm', ['fer', 'panda'])
def test_the_older_arm_needs_a_driver_elsewhere(arm):
    system = load_system('panda_real', arguments={'robot_type': arm})
    assert system.driver is None
    robot = load_embodiment(system.robot)
    assert robot.joint_names[0] == 'panda_joint1'
    assert robot.driver.joints == () or robot.driver.joints[0].name == f'{arm}_joint1'
    with pytest.raises(ConfigError, match=rf'cannot drive robot_type:={arm}: .*libfranka 0.9.*driver:=external'):
        load_system('panda_real', arguments={'robot_type': arm, 'driver': 'franka_ros2'})


def test_the_hand_has_two_drivers_that_are_told_apart_by_joint_names():
    v4 = load_system('allegro_real')
    assert v4.driver is not None
    assert v4.driver.arguments['use_sim_time'] == 'false'
    assert load_embodiment(v4.robot).driver.joints[0].name == 'ah_joint00'
    v5 = load_system('allegro_real', arguments={'driver': 'wonik_v5', 'can_device': 'can1'})
    assert v5.driver is None
    (node,) = (node for node in v5.companions if node.package == 'allegro_hand_controllers')
    assert node.parameters['comm/CAN_CH'] == 'can1'
    driver = load_embodiment(v5.robot).driver
    assert {driver.joint_states_topic, driver.position_command_topic} < set(node.remappings.values())
    for system in (v4, v5):
        assert system.node('controller_node').parameters['command_backend'] == 'allegro_position'


def test_the_controllers_of_the_fr3_know_the_joints_of_its_robot_file():
    parsed = yaml.safe_load(shared_file('config/fr3_controllers.yaml').read_text(encoding='utf-8'))['/**']
    names = list(load_embodiment('fr3').joint_names)
    trajectory = parsed['joint_trajectory_controller']['ros__parameters']
    assert trajectory['joints'] == names
    assert list(trajectory['gains']) == names
    assert [name for name in trajectory['constraints'] if name.startswith('fr3')] == names
    assert trajectory['interpolate_from_desired_state'] is True
    assert trajectory['allow_nonzero_velocity_at_trajectory_end'] is False
    manager = parsed['controller_manager']['ros__parameters']
    assert manager['enforce_command_limits'] is True
    assert manager['update_rate'] == 1000
    spawned = load_system('panda_real').driver.ready.arguments[0]
    assert manager[spawned]['type'] == 'joint_trajectory_controller/JointTrajectoryController'
    assert load_embodiment('fr3').driver.command_topic == f'/{spawned}/joint_trajectory'
    # What franka.launch.py itself starts has to be in the file that replaces its own.
    assert {'joint_state_broadcaster', 'franka_robot_state_broadcaster'} < set(manager)


# -- cameras -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('preset', PRESETS)
def test_a_preset_sends_each_view_where_the_robot_file_wants_it(preset):
    nodes = camera_nodes(preset, 'panda')
    assert [node.name for node in nodes] == ['camera_front', 'camera_side']
    for node, view in zip(nodes, load_embodiment('panda').views, strict=True):
        assert set(node.remappings.values()) == {view.image_topic, view.camera_info_topic}
        assert node.parameters['camera_name'] == view.name
        assert node.install.startswith('sudo apt install ros-jazzy-')
    assert nodes[0].package in load_preset(preset)['package']


def test_cameras_of_ones_own(tmp_path):
    text = shared_file('config/cameras/usb_cam.yaml').read_text(encoding='utf-8')
    own = tmp_path / 'mine.yaml'
    own.write_text(text.replace('/dev/video2', '/dev/video9'))
    system = load_system('panda_real', arguments={'cameras': str(own)})
    assert system.node('camera_side').parameters['video_device'] == '/dev/video9'
    own.write_text(text.replace('  side:', '  left:'))
    with pytest.raises(ConfigError, match=r"has the views \['front', 'left'\], but robot fr3 has \['front', 'side'\]"):
        load_system('panda_real', arguments={'cameras': str(own)})
    own.write_text('a: [')
    with pytest.raises(ConfigError, match='cannot be read'):
        load_system('panda_real', arguments={'cameras': str(own)})
    own.write_text('package: usb_cam\n')
    with pytest.raises(ConfigError, match='it needs exactly package, executable'):
        load_system('panda_real', arguments={'cameras': str(own)})
    with pytest.raises(ConfigError, match=r"unknown camera preset 'usbcam'.*Did you mean 'usb_cam'"):
        load_system('panda_real', arguments={'cameras': 'usbcam'})
