# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a recording says about where it comes from: robot, versions, and the parameters of every node as they were."""

from __future__ import annotations

import functools
import json
import platform
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from functools import partial
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import yaml
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python

from vera_bringup.recording.writer import RecordingFile
from vera_core.embodiment import Embodiment, known_robots, load_embodiment
from vera_core.finger import FINGER_NAME, finger_document

VERA = 'vera'
"""Name of the metadata record with versions and settings of the recording itself."""
PARAMETERS = 'vera_parameters'
"""Name of the metadata record with the parameters: node to JSON."""
ROBOT_FILE = 'robot.yaml'
"""Name of the attachment with the robot's YAML file."""
PACKAGES = ('vera_msgs', 'vera_core', 'vera_planner', 'vera_jidm', 'vera_control', 'vera_sim', 'vera_bringup')
LIBRARIES = ('mcap', 'mujoco', 'numpy', 'opencv-python-headless', 'rclpy', 'ruckig', 'torch')
PATIENCE_S = 5.0
"""Nodes that have not told their parameters by then are left out."""


@functools.cache
def versions() -> dict[str, str]:
    """Return versions of this workspace, of what it computes with, and of the machine."""
    found = {'python': platform.python_version(), 'machine': platform.platform()}
    for name in (*PACKAGES, *LIBRARIES):
        try:
            found[name] = metadata.version(name.replace('_', '-'))
        except metadata.PackageNotFoundError:
            continue
    commit = _commit()
    return {**found, 'commit': commit} if commit else found


def _commit() -> str:
    """Return the commit of the sources this runs from, with `+` when they were changed since; empty outside of a repository."""
    here = Path(__file__).resolve().parent
    try:
        ask = ['git', '-C', str(here), 'describe', '--always', '--dirty=+', '--abbrev=12', '--exclude=*']
        return subprocess.run(ask, capture_output=True, text=True, timeout=5.0, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ''


def describe(file: RecordingFile, robot: Embodiment, robot_name: str, settings: Mapping[str, str], *, now_ns: int) -> None:
    """Write versions, settings and the robot's file into a recording.

    Args:
        file: The recording.
        robot: The robot it is of.
        robot_name: How it was loaded: name or path.
        settings: What else is to be known about the recording.
        now_ns: Time of the beginning, ns.
    """
    file.add_metadata(VERA, {**versions(), 'robot': robot.name, 'robot_source': robot_name, **settings})
    file.attach(ROBOT_FILE, robot_text(robot_name), media_type='application/yaml', now_ns=now_ns)


def robot_text(name: str) -> str:
    """Return the YAML file of a robot by the name or path it was loaded with."""
    name = _without_driver(name)
    if name.endswith(('.yaml', '.yml')):
        return Path(name).read_text(encoding='utf-8')
    finger = FINGER_NAME.fullmatch(name)
    if finger is not None:
        return yaml.safe_dump(finger_document(int(finger[1])), sort_keys=False)
    return (resources.files('vera_core') / 'robots' / f'{name}.yaml').read_text(encoding='utf-8')


def recorded_robot(text: str, source: str) -> Embodiment:
    """Return the robot of a recording: the installed one when its file is the same, else that of the file in the recording.

    Args:
        text: The YAML file in the recording.
        source: Name or path the robot was loaded with.

    Raises:
        EmbodimentError: If the file cannot be used.
    """
    name = _without_driver(source)
    is_known = name in known_robots() or FINGER_NAME.fullmatch(name) is not None or Path(name).is_file()
    if is_known and robot_text(source) == text:
        return load_embodiment(source)
    document = yaml.safe_load(text)
    document.pop('simulation', None)  # models and meshes are not in the recording
    with tempfile.TemporaryDirectory(prefix='vera_robot_') as folder:
        path = Path(folder) / ROBOT_FILE
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding='utf-8')
        return load_embodiment(f'{path}{source[len(name) :]}')


def _without_driver(name: str) -> str:
    return re.sub(r'@\w+$', '', name)


class ParameterQuestions:
    """Asks every node for its parameters without holding anybody up; answers come while the asking node spins."""

    def __init__(self, node: Node, names: Iterable[str]) -> None:
        self._node = node
        self._names = tuple(names)
        self._clients: dict[str, Any] = {}
        self._asked: set[str] = set()
        self.answers: dict[str, dict[str, Any]] = {}

    def ask(self) -> None:
        """Ask those that are there and have not been asked."""
        for name in self._names:
            if name not in self._clients:
                self._clients[name] = self._node.create_client(ListParameters, f'{name}/list_parameters')
            if name not in self._asked and self._clients[name].service_is_ready():
                self._asked.add(name)
                answer = self._clients[name].call_async(ListParameters.Request())
                answer.add_done_callback(partial(self._ask_values, name))

    def _ask_values(self, name: str, future: Any) -> None:
        wanted = [text for text in future.result().result.names if not text.startswith('qos_overrides.')]
        client = self._clients[f'{name}: values'] = self._node.create_client(GetParameters, f'{name}/get_parameters')
        answer = client.call_async(GetParameters.Request(names=wanted))
        answer.add_done_callback(lambda done: self._keep(name, wanted, done.result().values))

    def _keep(self, name: str, names: list[str], values: list[Any]) -> None:
        self.answers[name] = dict(zip(names, (parameter_value_to_python(value) for value in values), strict=True))

    @property
    def is_complete(self) -> bool:
        """True when all have answered."""
        return len(self.answers) == len(self._names)

    def write(self, file: RecordingFile) -> None:
        """Write the answers there are."""
        if self.answers:
            file.add_metadata(PARAMETERS, {name: json.dumps(values, default=list) for name, values in self.answers.items()})


def local_time(now_ns: int) -> str:
    """Return a time for a file name: 20260131T235959."""
    return time.strftime('%Y%m%dT%H%M%S', time.localtime(now_ns * 1e-9))
