# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Backend `servo`, with message classes made from the text of the public definitions: their packages are not installed where the tests run.

Like rclpy's own classes these take fields as keywords, and refuse a field that does not exist and a value of the wrong type.
"""

from __future__ import annotations

import array
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from std_msgs.msg import Header

from vera_control.backends import BACKENDS, CommandBackend
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError

MS = 1_000_000
PANDA = load_embodiment('panda')
SPEED = np.array([0.2, -0.1, 0.15, 0.1, -0.2, 0.1, 0.3])
Shaped = Callable[..., Any]

JOINT_JOG = """
std_msgs/Header header
string[] joint_names
float64[] displacements
float64[] velocities
float64 duration
"""
SERVO_STATUS = """
int8 code
string message
"""
COMMAND_TYPE_REQUEST = 'int8 command_type'
COMMAND_TYPE_RESPONSE = 'bool success'

SCALARS: dict[str, type] = {'string': str, 'float64': float, 'int8': int, 'bool': bool}


def message_class(name: str, definition: str) -> type:
    """Return a class with the fields of a definition."""
    fields = {field: kind for kind, field in (line.split() for line in definition.strip().splitlines())}

    def check(self: Any, field: str, value: Any) -> None:
        if field not in fields:
            raise AttributeError(f'{name} has no field {field}')
        kind = fields[field]
        if kind == 'std_msgs/Header':
            assert isinstance(value, Header)
        elif kind.endswith('[]'):
            scalar = SCALARS[kind.removesuffix('[]')]
            assert isinstance(value, list | array.array), f'{name}.{field} is {type(value)}'
            assert all(isinstance(entry, scalar) for entry in value), f'{name}.{field} must hold {scalar}'
        else:
            assert isinstance(value, SCALARS[kind]), f'{name}.{field} must be {kind}'
        object.__setattr__(self, field, value)

    def make(self: Any, **values: Any) -> None:
        for field, kind in fields.items():
            default = Header() if kind == 'std_msgs/Header' else [] if kind.endswith('[]') else SCALARS[kind]()
            setattr(self, field, values.pop(field, default))
        assert not values, f'{name} has no fields {sorted(values)}'

    return type(name, (), {'__slots__': tuple(fields), '__init__': make, '__setattr__': check})


def install(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """Make control_msgs and moveit_msgs importable for one test, with what MoveIt Servo uses of them."""
    command_type = type(
        'ServoCommandType',
        (),
        {
            'Request': message_class('Request', COMMAND_TYPE_REQUEST),
            'Response': message_class('Response', COMMAND_TYPE_RESPONSE),
        },
    )
    classes = types.SimpleNamespace(
        JointJog=message_class('JointJog', JOINT_JOG), ServoStatus=message_class('ServoStatus', SERVO_STATUS), ServoCommandType=command_type
    )
    for module, names in (
        ('control_msgs.msg', ('JointJog',)),
        ('moveit_msgs.msg', ('ServoStatus',)),
        ('moveit_msgs.srv', ('ServoCommandType',)),
    ):
        made = types.ModuleType(module)
        for name in names:
            setattr(made, name, getattr(classes, name))
        monkeypatch.setitem(sys.modules, module, made)
        monkeypatch.setitem(sys.modules, module.split('.', 1)[0], types.ModuleType(module.split('.', 1)[0]))
    return classes


def make(name: str, node: Any, robot: Embodiment, stream_hz: float = 100.0) -> CommandBackend:
    return BACKENDS.make(name, node=node, robot=robot, stream_hz=stream_hz)


@pytest.fixture
def servo(note_node: Any, monkeypatch: pytest.MonkeyPatch) -> CommandBackend:
    """A servo backend before servo has answered anything."""
    note_node.interfaces = install(monkeypatch)  # type: ignore[attr-defined]
    return make('servo', note_node, PANDA)


def test_servo_without_its_message_packages_says_how_to_get_them(note_node: Any) -> None:
    with pytest.raises(
        ConfigError, match=r'needs control_msgs/msg/JointJog.*sudo apt install ros-\$ROS_DISTRO-control-msgs.*rosdep install'
    ):
        make('servo', note_node, PANDA)


def test_servo_too_slow_for_its_timeout_is_refused(note_node: Any) -> None:
    with pytest.raises(ConfigError, match='stream_hz is 20.*at least 30'):
        make('servo', note_node, PANDA, stream_hz=20.0)


def test_servo_of_a_driver_without_one_is_refused(note_node: Any) -> None:
    with pytest.raises(ConfigError, match='no servo_node.*for example /servo_node'):
        make('servo', note_node, load_embodiment('allegro'))


def test_servo_is_switched_before_anything_moves(note_node: Any, servo: CommandBackend) -> None:
    assert note_node.service_name == '/servo_node/switch_command_type'
    assert servo.obstacle(note_node.now_ns) is not None
    assert not note_node.service.asked  # nobody there to ask yet
    note_node.service.ready, note_node.service.answer = True, note_node.interfaces.ServoCommandType.Response(success=True)  # type: ignore[attr-defined]
    servo.obstacle(note_node.now_ns)
    assert [request.command_type for request in note_node.service.asked] == [0]
    note_node.heard['/servo_node/status'](note_node.interfaces.ServoStatus(code=0))  # type: ignore[attr-defined]
    assert servo.obstacle(note_node.now_ns) is None
    note_node.heard['/servo_node/status'](note_node.interfaces.ServoStatus(code=4))  # type: ignore[attr-defined]
    assert servo.obstacle(note_node.now_ns) is None
    assert note_node.warnings == ['servo slows down for a collision']


def test_servo_gets_velocities_with_names_stamped_when_they_are_issued(note_node: Any, servo: CommandBackend, shaped: Shaped) -> None:
    trajectory = shaped(PANDA, SPEED)
    servo.send(trajectory, note_node.now_ns)
    note_node.run(500)
    sent = note_node.topics['/servo_node/delta_joint_cmds'].sent
    stamps = np.array([message.header.stamp.sec * 1000 + message.header.stamp.nanosec // MS for message in sent])
    np.testing.assert_array_equal(np.diff(stamps), 10)  # well within servo's 100 ms
    assert stamps[0] == 1000
    for message, row in zip(sent, trajectory.velocity, strict=False):
        assert tuple(message.joint_names) == PANDA.joint_names
        assert len(message.displacements) == 0
        np.testing.assert_allclose(message.velocities, row, atol=1e-15)
    np.testing.assert_array_equal(sent[-1].velocities, 0.0)
