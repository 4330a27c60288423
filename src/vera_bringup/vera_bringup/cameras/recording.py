# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera cameras record`: keeps a picture, and the joints of its moment, whenever the board is seen at rest in a new place."""

from __future__ import annotations

import json
import time
from pathlib import Path

import cv2
import numpy as np
from rclpy.context import Context
from rclpy.node import Node
from rich.console import Console
from sensor_msgs.msg import Image, JointState

from vera_bringup.cameras.board import Board, BoardView
from vera_bringup.cameras.commands import JOINTS_FILE
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError, ShapeError
from vera_core.ros.lean_executor import LeanExecutor
from vera_core.ros.messages import rgb_from_image, robot_state_from_joint_state
from vera_core.ros.qos import SENSOR
from vera_core.shapes import FloatArray, RgbArray

STILL_PX = 0.5
"""A board that moved less since the last picture is at rest."""
NEW_PX = 25.0
"""A board that moved more since the last picture kept is in a new place."""


class Chooser:
    """Decides which pictures are worth keeping."""

    def __init__(self) -> None:
        self._before: BoardView | None = None
        self._kept: list[BoardView] = []

    def wants(self, view: BoardView | None) -> bool:
        """Whether this picture shows the board at rest in a place no picture kept so far shows."""
        still = self._before is not None and view is not None and moved_px(self._before, view) < STILL_PX
        self._before = view
        if view is None or not still or any(moved_px(old, view) < NEW_PX for old in self._kept):
            return False
        self._kept.append(view)
        return True


def moved_px(first: BoardView, second: BoardView) -> float:
    """Return how far the corners seen in both moved in the mean, px; infinite when there are none."""
    _, at_first, at_second = np.intersect1d(first.ids, second.ids, return_indices=True)
    if not len(at_first):
        return float('inf')
    return float(np.linalg.norm(first.pixels[at_first] - second.pixels[at_second], axis=1).mean())


def record(robot_name: str, view_name: str, folder: Path, board: Board, *, count: int, patience_s: float) -> int:
    """Record until there are enough pictures.

    Raises:
        ConfigError: If the view is unknown, or nothing new is seen for `patience_s`.
    """
    robot = load_embodiment(robot_name)
    views = {view.name: view for view in robot.views}
    if view_name not in views:
        raise ConfigError(f"robot {robot.name} has no view '{view_name}'; it has {', '.join(views)}")
    folder.mkdir(parents=True, exist_ok=True)
    say = Console(soft_wrap=True).print
    newest: dict[str, RgbArray | FloatArray] = {}
    context = Context()
    context.init(args=[])
    try:
        node = Node('camera_recorder', context=context, start_parameter_services=False, enable_rosout=False)
        executor = LeanExecutor(context=context)
        executor.add_node(node)

        def on_image(message: Image) -> None:
            newest['picture'] = rgb_from_image(message)

        def on_joints(message: JointState) -> None:
            try:
                newest['joints'] = robot_state_from_joint_state(message, robot).position
            except ShapeError as error:
                node.get_logger().warning(str(error), throttle_duration_sec=5.0)

        node.create_subscription(Image, views[view_name].image_topic, on_image, SENSOR)
        node.create_subscription(JointState, robot.driver.joint_states_topic, on_joints, SENSOR)
        say(f'move the board (or the arm) and hold it still for a moment, {count} times; Ctrl-C ends')
        chooser, heard = Chooser(), time.monotonic()
        joints: dict[str, dict[str, float]] = {}
        while len(joints) < count:
            executor.spin_once(timeout_sec=0.2)
            if time.monotonic() - heard > patience_s:
                seen = 'but no new place of the board' if 'picture' in newest else f'and nothing on {views[view_name].image_topic}'
                raise ConfigError(f'{len(joints)} of {count} pictures after {patience_s:.0f} s of waiting, {seen}')
            picture = newest.get('picture')
            if picture is None or not chooser.wants(board.find(np.asarray(picture, np.uint8))):
                continue
            heard = time.monotonic()
            name = f'{view_name}_{len(joints):03d}.png'
            cv2.imwrite(str(folder / name), cv2.cvtColor(np.asarray(picture, np.uint8), cv2.COLOR_RGB2BGR))
            positions = newest.get('joints', np.array([]))
            joints[name] = {joint: float(value) for joint, value in zip(robot.joint_names, positions, strict=False)}
            (folder / JOINTS_FILE).write_text(json.dumps(joints, indent=1), encoding='utf-8')
            say(f'{name}{"" if joints[name] else " (no joint states: good for the lens only)"}')
    finally:
        context.try_shutdown()
    say(f'{count} pictures in {folder}')
    return 0
