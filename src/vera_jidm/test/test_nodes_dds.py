# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""flow_node and jidm_node as processes, over DDS, between a synthetic plan and synthetic cameras and joints."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_core.types import FlowField as FlowFieldType
from vera_core.types import VideoPlan

rclpy = pytest.importorskip('rclpy')
from rclpy.node import Node  # noqa: E402
from sensor_msgs.msg import Image, JointState  # noqa: E402

from vera_core.ros.alive import AliveWatch  # noqa: E402
from vera_core.ros.lean_executor import LeanExecutor  # noqa: E402
from vera_core.ros.messages import flow_to_msg, from_ns, image_from_rgb, plan_to_msg, to_ns  # noqa: E402
from vera_core.ros.pictures import float_image  # noqa: E402
from vera_core.ros.qos import PLAN, SENSOR, STREAM  # noqa: E402
from vera_msgs.msg import FlowField, JointVelocityEstimate  # noqa: E402
from vera_msgs.msg import VideoPlan as VideoPlanMsg  # noqa: E402

pytestmark = pytest.mark.ros
ROBOT = load_embodiment('panda')
CHILD = str(Path(__file__).with_name('uniform_field_child.py'))
STEP_PX = 0.5
"""The planned pictures move by this much per 0.3 s, px at working size."""


def world(shift_px: float, size: int) -> np.ndarray:
    """A textured picture whose content has moved to the right; `shift_px` counts pixels of a 128 px picture."""
    rng = np.random.default_rng(0)
    grey = sum(cv2.GaussianBlur(rng.normal(size=(320, 320)), (0, 0), sigma) * sigma for sigma in (2.0, 6.0, 16.0))
    grey = 40 + 180 * (grey - grey.min()) / (grey.max() - grey.min())
    moved = cv2.warpAffine(grey, np.array([[1, 0, 2 * shift_px], [0, 1, 0]]), (320, 320), flags=cv2.INTER_CUBIC)[32:288, 32:288]
    picture = cv2.resize(moved, (size, size), interpolation=cv2.INTER_AREA)
    return np.repeat(np.clip(picture, 0, 255)[..., None], 3, axis=2).astype(np.uint8)


class Bench(Node):
    """Cameras, joints, planner and controller in one: publishes what the nodes need and keeps what they answer."""

    def __init__(self) -> None:
        super().__init__('bench', namespace='vera')
        self.cameras = {view.name: self.create_publisher(Image, view.image_topic, SENSOR) for view in ROBOT.views}
        self.joints = self.create_publisher(JointState, ROBOT.driver.joint_states_topic, SENSOR)
        self.plans = self.create_publisher(VideoPlanMsg, 'plan', PLAN)
        self.flows: list[FlowField] = []
        self.velocities: list[JointVelocityEstimate] = []
        self.stamps: set[int] = set()
        self.size, self.encoding, self.bad_joint, self.shuffled = 256, 'rgb8', 0.0, False
        self.pictures = {size: world(0.0, size) for size in (64, 256)} | {0: np.full((256, 256, 3), 90, np.uint8)}
        self.create_subscription(FlowField, 'flow', self.flows.append, STREAM)
        self.create_subscription(JointVelocityEstimate, 'joint_velocity', self.velocities.append, STREAM)
        self.watch = AliveWatch(self, ['flow_node', 'jidm_node'])
        self.create_timer(0.1, self.send_pictures)
        self.create_timer(0.02, self.send_joints)

    def now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def send_pictures(self) -> None:
        stamp_ns = self.now_ns()
        self.stamps.add(stamp_ns)
        for publisher in self.cameras.values():
            image = image_from_rgb(self.pictures[self.size], stamp_ns=stamp_ns)
            image.encoding = self.encoding
            publisher.publish(image)

    def send_joints(self) -> None:
        message = JointState(name=['panda_finger_joint1', *ROBOT.joint_names], position=[0.0, *ROBOT.home], velocity=[0.0] * 8)
        message.header.stamp = from_ns(self.now_ns())
        message.position[3] += self.bad_joint
        if self.shuffled:
            message.name, message.position = message.name[::-1], message.position[::-1]
        self.joints.publish(message)

    def send_plan(self, plan_id: int = 1) -> None:
        frames = np.stack([world(STEP_PX * i, 128) for i in range(21)])
        plan = VideoPlan(
            plan_id=plan_id,
            task_id=4,
            prompt='go right',
            stamp_ns=self.now_ns(),
            step_dt_s=0.3,
            frames=dict.fromkeys(ROBOT.view_names, frames),
        )
        self.plans.publish(plan_to_msg(plan))

    def from_pictures_since(self, stamp_ns: int) -> list[FlowField | JointVelocityEstimate]:
        """What the nodes made of pictures taken since then; answers to older ones may still be on their way."""
        return [message for message in (*self.flows, *self.velocities) if to_ns(message.header.stamp) >= stamp_ns]

    def silent(self) -> None:
        self.flows.clear()
        self.velocities.clear()


@pytest.fixture
def bench(ros):
    node = Bench()
    executor = LeanExecutor()
    executor.add_node(node)

    def until(done, timeout_s=20.0):
        end = time.monotonic() + timeout_s
        while not done() and time.monotonic() < end:
            executor.spin_once(timeout_sec=0.02)
        return done()

    node.until = until
    yield node
    executor.shutdown()
    node.destroy_node()


def start(bench, spawn, *options):
    flow = spawn('-m', 'vera_jidm.flow_node', name='flow')
    jidm = spawn(CHILD, *options, name='jidm')
    assert bench.until(lambda: bench.watch.is_alive('flow_node') and bench.watch.is_alive('jidm_node')), (
        flow.log.read_text() + jidm.log.read_text()
    )
    assert bench.until(lambda: 'waiting for a plan' in bench.watch.text('flow_node')), bench.watch.text('flow_node')
    bench.send_plan()
    assert bench.until(lambda: len(bench.velocities) >= 5), flow.log.read_text() + jidm.log.read_text() + bench.watch.text('jidm_node')
    return flow, jidm


def test_a_plan_becomes_the_joint_velocity_that_carries_it_out(bench, spawn):
    start(bench, spawn)
    flow, answer = bench.flows[-1], bench.velocities[-1]
    assert to_ns(answer.header.stamp) in bench.stamps
    assert (answer.plan_id, answer.task_id) == (1, 4)
    assert list(answer.joint_names) == list(ROBOT.joint_names)
    assert sorted(flow.view_names) == sorted(ROBOT.view_names)
    # The cameras stand still, so the picture aimed at is STEP_PX per frame away; joint 0 makes 20 px/rad, and no joint steps further than 0.15 rad.
    assert answer.delta_q[0] == pytest.approx(min(answer.step * STEP_PX / 20.0, 0.15), rel=0.1)
    assert np.abs(answer.delta_q[1:]).max() < 1e-6
    assert answer.velocity[0] == pytest.approx(answer.delta_q[0] / answer.dt)
    assert answer.observability[0] > 0.99
    assert max(answer.observability[1:]) < 0.01
    assert 0 < answer.latency.sec + answer.latency.nanosec * 1e-9 < 1.0
    # As a difference of integers: a float of nanoseconds since 1970 is good to 256 ns only.
    assert to_ns(flow.stamp_target) - to_ns(flow.header.stamp) == pytest.approx(flow.dt * 1e9, abs=2)
    assert 'following plan 1' in bench.watch.text('flow_node')


def test_the_step_is_refined_on_the_planned_pictures_when_asked(bench, spawn):
    _, jidm = start(bench, spawn, '--ros-args', '-p', 'photometric_refinement:=true')
    assert bench.count_subscribers('plan') == 2
    wanted = [min(answer.step * STEP_PX / 20.0, 0.15) for answer in bench.velocities]
    np.testing.assert_allclose([answer.delta_q[0] for answer in bench.velocities], wanted, rtol=0.05)
    assert jidm.poll() is None
    assert 'fault' not in jidm.log.read_text()


def test_bad_joint_states_are_refused_whole_and_good_ones_are_taken_again(bench, spawn):
    start(bench, spawn)
    bench.bad_joint = math.nan
    assert bench.until(lambda: 'position of panda_joint3 is nan' in bench.watch.text('jidm_node')), bench.watch.text('jidm_node')
    bench.silent()
    assert bench.until(lambda: len(bench.flows) >= 5)
    assert not bench.velocities
    bench.bad_joint = 0.0
    assert bench.until(lambda: len(bench.velocities) >= 2)


@pytest.mark.parametrize(
    ('size', 'encoding', 'words'),
    [
        (64, 'rgb8', 'is 64x64 px but the robot file needs at least 128x128'),
        (256, '32FC1', "encoding '32FC1'"),
        (0, 'rgb8', 'all of one colour, rgb (90, 90, 90)'),
    ],
)
def test_bad_pictures_are_refused_whole_and_good_ones_are_taken_again(bench, spawn, size, encoding, words):
    start(bench, spawn)
    bench.size, bench.encoding, since_ns = size, encoding, bench.now_ns()
    assert bench.until(lambda: words in bench.watch.text('flow_node')), bench.watch.text('flow_node')
    bench.until(lambda: False, timeout_s=0.6)
    assert not bench.from_pictures_since(since_ns)
    bench.size, bench.encoding = 256, 'rgb8'
    assert bench.until(lambda: len(bench.velocities) >= 2)


def test_a_malformed_plan_is_refused_and_the_present_one_goes_on(bench, spawn):
    start(bench, spawn)
    bench.plans.publish(VideoPlanMsg(plan_id=2, view_names=['front'], horizon=3, step_dt=0.3))
    assert bench.until(lambda: len(bench.flows) >= 1)
    bench.silent()
    assert bench.until(lambda: len(bench.velocities) >= 3)
    assert {answer.plan_id for answer in bench.velocities} == {1}


def test_bad_flow_is_refused_whole_and_good_flow_is_taken_again(bench, spawn):
    child = spawn(CHILD, name='jidm')
    flows = bench.create_publisher(FlowField, 'flow', STREAM)
    assert bench.until(lambda: bench.watch.is_alive('jidm_node')), child.log.read_text()

    def send(size=128, value=1.0, views=ROBOT.view_names):
        values = {view: np.full((size, size, 2), value, np.float32) for view in views}
        trust = {view: np.ones((size, size), np.float32) for view in views}
        stamp_ns = bench.now_ns()
        good = {view: np.zeros_like(flow) for view, flow in values.items()}
        message = flow_to_msg(
            FlowFieldType(
                stamp_ns=stamp_ns, plan_id=1, task_id=1, step=1, dt_s=0.3, flow=good, confidence=trust, remaining_px=1.0, at_plan_end=False
            ),
            stamp_target_ns=stamp_ns,
        )
        message.flow = [float_image(flow, '32FC2', message.header.stamp, view) for view, flow in values.items()]
        flows.publish(message)

    def answered(done, **flow):
        end = time.monotonic() + 15.0
        while not done() and time.monotonic() < end:
            send(**flow)
            bench.until(lambda: False, timeout_s=0.1)
        return done()

    assert answered(lambda: len(bench.velocities) >= 2)
    for flow, words in (
        ({'value': math.nan}, 'flow[front] has 32768 values that are not finite, the first at (0, 0, 0); the whole input is refused'),
        ({'size': 64}, 'with cells of 4 px, which is 128x128 px, but its flow is 64x64 px'),
        ({'views': ('front', 'wrist')}, 'no picture of view wrist'),
    ):
        since_ns = bench.now_ns()
        assert answered(lambda words=words: words in bench.watch.text('jidm_node'), **flow), bench.watch.text('jidm_node')
        bench.until(lambda: False, timeout_s=0.3)
        assert not [answer for answer in bench.velocities if to_ns(answer.header.stamp) >= since_ns]
        bench.silent()
        assert answered(lambda: len(bench.velocities) >= 2)
    assert child.poll() is None


def test_joints_in_another_order_are_taken_by_name(bench, spawn):
    start(bench, spawn)
    bench.shuffled = True
    bench.silent()
    assert bench.until(lambda: len(bench.velocities) >= 5)
    answer = bench.velocities[-1]
    assert answer.delta_q[0] == pytest.approx(min(answer.step * STEP_PX / 20.0, 0.15), rel=0.1)  # no joint steps further than 0.15 rad
    assert 'inverting flow' in bench.watch.text('jidm_node')


@pytest.mark.parametrize('damage', ['missing', 'truncated'])
def test_weights_that_cannot_be_used_are_named_and_the_node_stays_up(bench, spawn, tmp_path, damage):
    folder = tmp_path / 'weights'
    if damage == 'truncated':
        import vera_jidm

        shipped = Path(vera_jidm.__file__).parent / 'weights' / 'panda'
        if not (shipped / 'field.safetensors').is_file():
            pytest.skip('no weights in the package yet')
        shutil.copytree(shipped, folder)
        whole = (folder / 'field.safetensors').read_bytes()
        (folder / 'field.safetensors').write_bytes(whole[: len(whole) // 2])
    spawn('-m', 'vera_jidm.flow_node', name='flow')
    child = spawn('-m', 'vera_jidm.jidm_node', '--ros-args', '-p', f'field_weights:={folder}', name='jidm')
    assert bench.until(lambda: 'no Jacobian field' in bench.watch.text('jidm_node')), child.log.read_text()
    assert str(folder) in bench.watch.text('jidm_node')
    assert 'vera train idm' in bench.watch.text('jidm_node')
    assert bench.until(lambda: 'waiting for a plan' in bench.watch.text('flow_node'))
    bench.send_plan()
    assert bench.until(lambda: 'waits until jidm_node has found that the robot can do it' in bench.watch.text('flow_node'))
    assert not bench.flows
    assert child.poll() is None
    assert not bench.velocities
    assert 'no Jacobian field' in child.log.read_text()


def test_an_unknown_robot_is_refused_at_the_start(spawn):
    child = spawn('-m', 'vera_jidm.flow_node', '--ros-args', '-p', 'robot:=pandda', name='flow')
    assert child.wait(timeout=20) == 2
    assert "unknown robot 'pandda'" in child.log.read_text()
    assert "Did you mean 'panda'?" in child.log.read_text()


def test_overlays_are_published_to_whoever_looks(bench, spawn):
    pictures: dict[str, Image] = {}
    for node in ('flow_node', 'jidm_node'):
        bench.create_subscription(Image, f'{node}/overlay', lambda message, node=node: pictures.__setitem__(node, message), SENSOR)
    start(bench, spawn)
    assert bench.until(lambda: len(pictures) == 2)
    assert (pictures['flow_node'].height, pictures['flow_node'].width) == (256, 512)
    assert (pictures['jidm_node'].height, pictures['jidm_node'].width) == (364, 364)  # at most 400 kB, see overlay.MOSAIC_BYTES
