# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""sim_node stands where the camera driver and the robot driver stand: same topics, same messages, real time.

Three threads: the executor takes commands, one thread steps the physics by the wall clock and publishes joint states, one renders. The
renderer has a world of its own that is set to the joints and cubes of a moment, so that drawing never holds up the physics.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import numpy as np
from rclpy._rclpy_pybind11 import RCLError
from sensor_msgs.msg import CameraInfo, Image, JointState
from trajectory_msgs.msg import JointTrajectory

from vera_core.errors import VeraError
from vera_core.ros.messages import from_ns, image_from_rgb, to_ns
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import COMMAND, SENSOR, STATUS
from vera_core.shapes import FloatArray
from vera_core.simulated import CameraPose
from vera_msgs.msg import SceneStatus
from vera_msgs.srv import ResetScene
from vera_sim.params import SimParams
from vera_sim.simulation import Simulation
from vera_sim.world import CAMERA_SIZE, World

STATUS_PERIOD_S = 0.1
PHYSICS_PERIOD_S = 0.004


class SimNode(VeraNode[SimParams]):
    """The simulated robot and its cameras."""

    def __init__(self) -> None:
        super().__init__('sim_node', SimParams)
        self._lock = threading.Lock()
        self._running = True
        self._simulation = Simulation(self.robot, seed=self.params.seed, target=self.params.target, now_s=self._now_s())
        self._render_world = World(self.robot, self._simulation.world.scene)
        self._image_publishers = {view.name: self.create_publisher(Image, view.image_topic, SENSOR) for view in self.robot.views}
        self._info_publishers = {view.name: self.create_publisher(CameraInfo, view.camera_info_topic, SENSOR) for view in self.robot.views}
        self._joint_publisher = self.create_publisher(JointState, self.robot.driver.joint_states_topic, SENSOR)
        self._status_publisher = self.create_publisher(SceneStatus, 'sim/scene_status', STATUS)
        self.create_subscription(JointTrajectory, self.robot.driver.command_topic, self._on_trajectory, COMMAND)
        if self.robot.driver.position_command_topic:
            self.create_subscription(JointState, self.robot.driver.position_command_topic, self._on_positions, COMMAND)
        self.create_service(ResetScene, 'sim/reset_scene', self._on_reset)
        self.create_timer(STATUS_PERIOD_S, self._publish_status)
        self._rate_mark = (self._now_s(), 0.0)
        self._factor = 1.0
        self._threads = [
            threading.Thread(target=self._run_loop, args=(loop,), daemon=True) for loop in (self._physics_loop, self._render_loop)
        ]
        for thread in self._threads:
            thread.start()
        self.beacon.say('physics and cameras run')

    def close(self) -> None:
        """Stop the threads."""
        self._running = False
        for thread in self._threads:
            thread.join(timeout=2.0)

    def _run_loop(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except RCLError:
            # A signal ends the context while a picture is on its way out; anything else is a fault worth its traceback.
            if self.context.ok():
                raise

    def _now_s(self) -> float:
        return self.now_ns() * 1e-9

    # -- robot driver ----------------------------------------------------------------------------------------------------

    def _on_trajectory(self, message: JointTrajectory) -> None:
        try:
            arrays = [
                np.array([getattr(point, name) for point in message.points], dtype=float)
                for name in ('positions', 'velocities', 'accelerations')
            ]
        except ValueError:
            self.get_logger().error('a trajectory has points of different lengths; it is refused', throttle_duration_sec=1.0)
            return
        times = np.array([to_ns(point.time_from_start) * 1e-9 for point in message.points])
        with self._lock:
            refusal = self._simulation.command(list(message.joint_names), to_ns(message.header.stamp) * 1e-9, times, *arrays)
        if refusal is not None:
            self.get_logger().error(f'trajectory refused: {refusal.text}', throttle_duration_sec=1.0)

    def _on_positions(self, message: JointState) -> None:
        with self._lock:
            refusal = self._simulation.command_positions(list(message.name), np.array(message.position, dtype=float))
        if refusal is not None:
            self.get_logger().error(f'joint positions refused: {refusal.text}', throttle_duration_sec=1.0)

    def _physics_loop(self) -> None:
        period = 1.0 / self.params.joint_state_rate_hz
        due = time.monotonic()
        while self._running:
            stamp_ns = self.now_ns()
            with self._lock:
                self._simulation.advance(stamp_ns * 1e-9)
                if time.monotonic() >= due:
                    due = max(due + period, time.monotonic() - period)
                    world = self._simulation.world
                    state = (world.joint_position, world.joint_velocity, world.passive_position)
                else:
                    state = None
            if state is not None:
                self._publish_joints(stamp_ns, *state)
            time.sleep(PHYSICS_PERIOD_S)

    def _publish_joints(self, stamp_ns: int, position: FloatArray, velocity: FloatArray, passive: FloatArray) -> None:
        message = JointState(
            name=[*self.robot.joint_names, *self._simulation.world.passive_names],
            position=[*position, *passive],
            velocity=[*velocity, *[0.0] * len(passive)],
        )
        message.header.stamp = from_ns(stamp_ns)
        self._joint_publisher.publish(message)

    # -- cameras ---------------------------------------------------------------------------------------------------------

    def _render_loop(self) -> None:
        period = 1.0 / self.params.image_rate_hz
        due = time.monotonic()
        while self._running:
            due = max(due + period, time.monotonic() - period)
            with self._lock:
                stamp_ns = self.now_ns()
                self._render_world.copy_state(self._simulation.world)
            for view in self.robot.view_names:
                rgb = self._render_world.render(view)
                frame_id = f'{view}_optical_frame'
                self._image_publishers[view].publish(image_from_rgb(rgb, stamp_ns=stamp_ns, frame_id=frame_id))
                self._info_publishers[view].publish(camera_info(self._render_world.simulation.cameras[view], stamp_ns, frame_id))
            time.sleep(max(0.0, due - time.monotonic()))

    # -- evaluation ------------------------------------------------------------------------------------------------------

    def _on_reset(self, request: ResetScene.Request, response: ResetScene.Response) -> ResetScene.Response:
        with self._lock:
            try:
                scene = self._simulation.reset(seed=int(request.seed), target=request.target, now_s=self._now_s())
            except VeraError as error:
                response.accepted, response.message = False, str(error)
                return response
        response.accepted = True
        response.message = f'scene {scene.seed}: ' + ', '.join(
            f'{cube.name} {cube.size * 1e3:.0f} mm at ({cube.xy[0]:.2f}, {cube.xy[1]:.2f}) m' for cube in scene.cubes
        )
        response.object_names = [cube.name for cube in scene.cubes]
        return response

    def _publish_status(self) -> None:
        stamp_ns = self.now_ns()
        with self._lock:
            simulation, world = self._simulation, self._simulation.world
            counts, check = simulation.driver.violations, simulation.check
            cubes = world.scene.cubes
            message = SceneStatus(
                seed=world.scene.seed,
                object_names=[cube.name for cube in cubes],
                object_xyz=[float(x) for cube in cubes for x in world.cube_position(cube.name)],
                object_size=[cube.size for cube in cubes],
                fingertip_xyz=world.fingertip.tolist(),
                target=simulation.target,
                target_distance=simulation.target_distance,
                touched=list(check.touched),
                touch_time=check.touch_time_s,
                success=check.success,
                arm_speed=float(np.linalg.norm(world.joint_velocity)),
                real_time_factor=self._real_time_factor(stamp_ns * 1e-9, simulation.lost_s),
                position_violations=counts.position,
                velocity_violations=counts.velocity,
                acceleration_violations=counts.acceleration,
                jerk_violations=counts.jerk,
                rejected_commands=simulation.driver.rejected,
            )
        message.header.stamp = from_ns(stamp_ns)
        self._status_publisher.publish(message)

    def _real_time_factor(self, now_s: float, lost_s: float) -> float:
        since, lost_then = self._rate_mark
        if now_s - since >= 1.0:
            self._factor = max(0.0, 1.0 - (lost_s - lost_then) / (now_s - since))
            self._rate_mark = (now_s, lost_s)
        return self._factor


def camera_info(camera: CameraPose, stamp_ns: int, frame_id: str) -> CameraInfo:
    """Calibration of a simulated pinhole camera at camera size."""
    focal, centre = camera.focal_px(CAMERA_SIZE), (CAMERA_SIZE - 1) / 2
    message = CameraInfo(height=CAMERA_SIZE, width=CAMERA_SIZE, distortion_model='plumb_bob', d=[0.0] * 5)
    message.header.stamp, message.header.frame_id = from_ns(stamp_ns), frame_id
    message.k = [focal, 0.0, centre, 0.0, focal, centre, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = [focal, 0.0, centre, 0.0, 0.0, focal, centre, 0.0, 0.0, 0.0, 1.0, 0.0]
    return message


def main() -> None:
    """Run the node."""
    sys.exit(run(SimNode))


if __name__ == '__main__':
    main()
