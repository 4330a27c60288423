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

import numpy as np
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Float64, Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from vera_core.errors import Refusal, VeraError
from vera_core.goals import Goal
from vera_core.ros.messages import from_ns, image_from_rgb, to_ns
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import COMMAND, SENSOR, STATUS
from vera_core.shapes import FloatArray
from vera_core.simulated import CameraPose
from vera_msgs.msg import SceneStatus
from vera_msgs.srv import ResetScene
from vera_sim.obstacle import obstacle_from
from vera_sim.params import SimParams
from vera_sim.ros.commands import positions_from_msg, trajectory_from_msg, velocities_from_msg
from vera_sim.simulation import Simulation
from vera_sim.world import CAMERA_SIZE, World

STATUS_PERIOD_S = 0.1
PHYSICS_PERIOD_S = 0.004


class SimNode(VeraNode[SimParams]):
    """The simulated robot and its cameras."""

    def __init__(self) -> None:
        super().__init__('sim_node', SimParams)
        self._lock = threading.Lock()
        self._running = False
        self._threads: list[threading.Thread] = []

    def configure(self) -> None:
        """Build the scene and join the graph."""
        obstacle = obstacle_from(self.params.obstacle)
        goal = Goal(task='reach', target=self.params.target)
        self._simulation = Simulation(self.robot, seed=self.params.seed, goal=goal, now_s=self._now_s(), obstacle=obstacle)
        self._push_publisher = None if obstacle is None else self.create_publisher(Float64, 'sim/push', SENSOR)
        self._render_world = World(self.robot, self._simulation.world.scene)
        self._image_publishers = {view.name: self.create_publisher(Image, view.image_topic, SENSOR) for view in self.robot.views}
        self._info_publishers = {view.name: self.create_publisher(CameraInfo, view.camera_info_topic, SENSOR) for view in self.robot.views}
        self._joint_publisher = self.create_publisher(JointState, self.robot.driver.joint_states_topic, SENSOR)
        self._status_publisher = self.create_publisher(SceneStatus, 'sim/scene_status', STATUS)
        driver = self.robot.driver
        if driver.command_topic:
            self.create_subscription(JointTrajectory, driver.command_topic, self._on_trajectory, COMMAND)
        if driver.position_command_topic:
            kind = Float64MultiArray if driver.position_message == 'array' else JointState
            self.create_subscription(kind, driver.position_command_topic, self._on_positions, COMMAND)
        if driver.velocity_command_topic:
            self.create_subscription(Float64MultiArray, driver.velocity_command_topic, self._on_velocities, COMMAND)
        self.create_service(ResetScene, 'sim/reset_scene', self._on_reset)
        self.create_timer(STATUS_PERIOD_S, self._publish_status)
        self._rate_mark = (self._now_s(), 0.0)
        self._factor = 1.0

    def activate(self) -> None:
        """Let physics and cameras run."""
        self._running = True
        self._threads = [
            threading.Thread(target=self.run_until_the_context_ends, args=(loop,), daemon=True)
            for loop in (self._physics_loop, self._render_loop)
        ]
        for thread in self._threads:
            thread.start()
        self.beacon.say('physics and cameras run')

    def deactivate(self) -> None:
        """Stop physics and cameras."""
        self.close()

    def close(self) -> None:
        """Stop the threads."""
        self._running = False
        for thread in self._threads:
            thread.join(timeout=2.0)

    def _now_s(self) -> float:
        return self.now_ns() * 1e-9

    # -- robot driver ----------------------------------------------------------------------------------------------------

    def _on_trajectory(self, message: JointTrajectory) -> None:
        if not self.is_active:
            return
        trajectory = trajectory_from_msg(message, self.robot)
        with self._lock:
            if isinstance(trajectory, Refusal):
                refusal: Refusal | None = self._simulation.driver.refuse(trajectory)
            else:
                refusal = self._simulation.command(trajectory, to_ns(message.header.stamp) * 1e-9)
        if refusal is not None:
            self.get_logger().error(f'trajectory refused: {refusal.text}', throttle_duration_sec=1.0)

    def _on_positions(self, message: JointState | Float64MultiArray) -> None:
        if not self.is_active:
            return
        positions = positions_from_msg(message, self.robot)
        with self._lock:
            if isinstance(positions, Refusal):
                refusal: Refusal | None = self._simulation.driver.refuse(positions)
            else:
                refusal = self._simulation.command_positions(list(self.robot.joint_names), positions)
        if refusal is not None:
            self.get_logger().error(f'joint positions refused: {refusal.text}', throttle_duration_sec=1.0)

    def _on_velocities(self, message: Float64MultiArray) -> None:
        if not self.is_active:
            return
        velocities = velocities_from_msg(message, self.robot)
        with self._lock:
            driver = self._simulation.driver
            refusal = driver.refuse(velocities) if isinstance(velocities, Refusal) else driver.take_velocity(velocities)
        if refusal is not None:
            self.get_logger().error(f'joint velocities refused: {refusal.text}', throttle_duration_sec=1.0)

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
                if self._push_publisher is not None:
                    self._push_publisher.publish(Float64(data=self._simulation.take_push()))
            time.sleep(PHYSICS_PERIOD_S)

    def _publish_joints(self, stamp_ns: int, position: FloatArray, velocity: FloatArray, passive: FloatArray) -> None:
        joints = self.robot.joint_map
        message = JointState(
            name=[*joints.names, *self._simulation.world.passive_names],
            position=[*joints.positions(position), *passive],
            velocity=[*joints.rates(velocity), *[0.0] * len(passive)],
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
                # The time of what is seen: on a busy machine the physics is behind the clock, and a picture with the clock's stamp would not fit the joints.
                stamp_ns = min(round(self._simulation.time_s * 1e9), self.now_ns())
                self._render_world.copy_state(self._simulation.world)
            for view in self.robot.view_names:
                rgb = self._render_world.render(view)
                frame_id = f'{view}_optical_frame'
                self._image_publishers[view].publish(image_from_rgb(rgb, stamp_ns=stamp_ns, frame_id=frame_id))
                self._info_publishers[view].publish(camera_info(self._render_world.simulation.cameras[view], stamp_ns, frame_id))
            time.sleep(max(0.0, due - time.monotonic()))

    # -- evaluation ------------------------------------------------------------------------------------------------------

    def _on_reset(self, request: ResetScene.Request, response: ResetScene.Response) -> ResetScene.Response:
        goal = Goal(task=request.task or 'reach', target=request.target, direction=request.direction, onto=request.onto)
        with self._lock:
            try:
                scene = self._simulation.reset(seed=int(request.seed), goal=goal, now_s=self._now_s())
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
            counts, goal = simulation.driver.violations, simulation.goal
            cubes = world.scene.cubes
            message = SceneStatus(
                seed=world.scene.seed,
                object_names=[cube.name for cube in cubes],
                object_xyz=[float(x) for cube in cubes for x in world.cube_position(cube.name)],
                object_size=[cube.size for cube in cubes],
                fingertip_xyz=world.fingertip.tolist(),
                target=goal.target,
                target_distance=simulation.target_distance,
                touched=list(simulation.touch.touched),
                touch_time=simulation.touch.touch_time_s,
                success=bool(goal.target) and simulation.check.success,
                arm_speed=float(np.linalg.norm(world.joint_velocity)),
                real_time_factor=self._real_time_factor(stamp_ns * 1e-9, simulation.lost_s),
                position_violations=counts.position,
                velocity_violations=counts.velocity,
                acceleration_violations=counts.acceleration,
                jerk_violations=counts.jerk,
                rejected_commands=simulation.driver.rejected,
                late_commands=simulation.driver.late_commands,
                late_ticks=simulation.driver.late_ticks,
                task=goal.task,
                direction=goal.direction,
                onto=goal.onto,
                check_text=simulation.check.text,
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
