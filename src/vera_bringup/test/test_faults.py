# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the whole graph does when a part of it is killed while the arm moves, and when nonsense arrives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vera_bringup.asking import SessionError
from vera_core.imaging import to_working_size
from vera_core.ros import qos
from vera_core.ros.messages import from_ns, rgb_from_image
from vera_msgs.msg import JointVelocityEstimate, SafetyStatus, Task

pytestmark = [pytest.mark.e2e, pytest.mark.ros, pytest.mark.sim, pytest.mark.slow, pytest.mark.timeout(180)]

REST_WITHIN_S = 0.5


@pytest.mark.parametrize('victim', ['planner_node', 'flow_node', 'jidm_node', 'executive_node'])
def test_the_arm_rests_within_half_a_second_when_a_node_is_killed(graph, victim):
    graph.begin()
    task = graph.give()
    graph.wait_moving()
    killed_ns = graph.kill(victim)
    graph.wait_text(f'{victim} is gone')
    assert graph.session.safety.lost_nodes == [victim]
    assert graph.session.safety.reason == SafetyStatus.NODE_LOST
    assert graph.rest_after_s(killed_ns) <= REST_WITHIN_S
    assert graph.violations() == 0
    if victim == 'executive_node':  # which is the one that would have told
        with pytest.raises(SessionError, match='the task has no end any more: executive_node is gone'):
            task.result(timeout=5.0)
    else:
        assert victim in task.result(timeout=5.0).text
    graph.bring_back(victim)


def test_the_arm_rests_by_itself_when_the_controller_is_killed(graph):
    graph.begin()
    task = graph.give()
    graph.wait_moving()
    killed_ns = graph.kill('controller_node')
    outcome = task.result(timeout=5.0)
    assert 'controller_node' in outcome.text
    assert graph.rest_after_s(killed_ns) <= REST_WITHIN_S
    assert graph.violations() == 0
    graph.bring_back('controller_node')


def test_the_loss_of_the_driver_is_told(graph):
    graph.begin()
    task = graph.give()
    graph.wait_moving()
    graph.kill('sim_node')
    graph.wait_text('sim_node is gone')
    assert (
        graph.session.safety.commanded_velocity == pytest.approx([0.0] * 7, abs=1e-6) or graph.session.safety.state == SafetyStatus.HOLDING
    )
    assert task.result(timeout=5.0).outcome == 'stopped'
    graph.bring_back('sim_node')


def test_a_cancelled_task_leaves_the_arm_at_rest(graph):
    graph.begin()
    task = graph.give()
    graph.wait_moving()
    cancelled_ns = graph.session.node.get_clock().now().nanoseconds
    graph.session.cancel()
    assert task.result(timeout=5.0).outcome == 'canceled'
    assert graph.rest_after_s(cancelled_ns) <= 1.0


def test_the_stop_service_latches_until_reset_and_arm(graph):
    graph.begin()
    task = graph.give()
    graph.wait_moving()
    stopped_ns = graph.session.node.get_clock().now().nanoseconds
    graph.session.trigger('stop')
    assert task.result(timeout=5.0).outcome == 'stopped'
    assert graph.rest_after_s(stopped_ns) <= REST_WITHIN_S
    assert graph.session.safety.state == SafetyStatus.STOPPED_LATCHED
    refused = graph.session.execute('touch the green cube')
    assert refused.outcome == 'rejected'
    assert 'stopped by the operator' in refused.text
    graph.session.make_ready()


@pytest.mark.parametrize(('prompt', 'words'), [('', 'empty'), ('   ', 'empty'), ('touch ' * 1700, '10200 characters')])
def test_a_sentence_nobody_can_use_is_refused_with_the_reason(graph, prompt, words):
    graph.begin()
    outcome = graph.session.execute(prompt)
    assert outcome.outcome == 'rejected'
    assert words in outcome.text
    with graph.session.publisher(String, 'task_prompt', qos.TASK) as publisher:
        publisher.publish(String(data=prompt))
    assert_still_and_alive(graph)


def picture(**changes) -> Image:
    return Image(**({'height': 256, 'width': 256, 'encoding': 'rgb8', 'step': 768, 'data': bytes(256 * 768)} | changes))


BAD_PICTURES = {
    'of floats that are not finite': (
        picture(encoding='32FC3', step=3072, data=np.full(256 * 768, np.nan, np.float32).tobytes()),
        "has encoding '32FC3' but rgb8, ",
    ),
    'too small': (picture(height=64, width=64, step=192, data=bytes(64 * 192)), 'is 64x64 px but'),
    'cut short': (picture(data=bytes(1000)), 'has 1000 bytes but'),
    'empty': (picture(height=0, width=0, step=0, data=b''), 'is 0x0 px'),
}


@pytest.mark.parametrize('kind', sorted(BAD_PICTURES))
def test_a_picture_nobody_can_use_is_refused_and_named(graph, wait_until, kind):
    graph.begin()
    message, words = BAD_PICTURES[kind]
    message.header.stamp = graph.session.node.get_clock().now().to_msg()
    graph.lines.clear()
    with graph.session.publisher(Image, '/camera/front/image_raw', qos.SENSOR, listeners=3) as publisher:

        def refused() -> bool:
            publisher.publish(message)
            return graph.said('planner_node', words) and graph.said('flow_node', words)

        wait_until(refused, f'"{words}" from planner_node and flow_node', timeout_s=8.0)
    assert_still_and_alive(graph)


def joints(graph, **changes) -> JointState:
    names = list(graph.session.robot.joint_names)
    values = {'name': names, 'position': list(graph.session.robot.home), 'velocity': [0.0] * 7} | changes
    message = JointState(**values)
    message.header.stamp = graph.session.node.get_clock().now().to_msg()
    return message


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'position': [math.nan] + [0.0] * 6}, 'panda_joint1 is nan'),
        ({'name': [f'fr3_joint{i}' for i in range(1, 8)]}, 'panda_joint1'),
        ({'position': [0.0] * 3}, 'position'),
    ],
)
def test_joint_states_nobody_can_use_are_refused_whole(graph, wait_until, changes, words):
    graph.begin()
    before = graph.session.safety.refused_messages
    graph.lines.clear()
    with graph.session.publisher(JointState, '/joint_states', qos.SENSOR, listeners=2) as publisher:

        def refused() -> bool:
            publisher.publish(joints(graph, **changes))
            return graph.session.safety.refused_messages > before and graph.said('controller_node', words)

        wait_until(refused, f'"{words}" from controller_node', timeout_s=8.0)
    assert_still_and_alive(graph)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'velocity': [math.nan] * 7}, 'nan'),
        ({'joint_names': [f'fr3_joint{i}' for i in range(1, 8)]}, 'fr3_joint1'),
        ({'velocity': [0.1] * 6}, 'velocity'),
    ],
)
def test_estimates_nobody_can_use_are_refused_whole(graph, wait_until, changes, words):
    graph.begin()
    before = graph.session.safety.refused_messages
    graph.lines.clear()
    values = {
        'velocity': [0.5] * 7,
        'delta_q': [0.1] * 7,
        'std': [0.01] * 7,
        'observability': [1.0] * 7,
        'joint_names': list(graph.session.robot.joint_names),
    }

    with graph.session.publisher(JointVelocityEstimate, 'joint_velocity', qos.STREAM, listeners=2) as publisher:

        def refused() -> bool:
            message = JointVelocityEstimate(plan_id=1, task_id=1, step=1, dt=0.2, **(values | changes))
            message.header.stamp = from_ns(graph.session.node.get_clock().now().nanoseconds - 50_000_000)
            publisher.publish(message)
            return graph.session.safety.refused_messages > before and graph.said('controller_node', words)

        wait_until(refused, f'"{words}" from controller_node', timeout_s=8.0)
    assert_still_and_alive(graph)


def assert_still_and_alive(graph) -> None:
    """Nothing moved and nobody died."""
    graph.session.wait_for(lambda: graph.session.scene.arm_speed < 0.02, timeout_s=2.0, what='rest')
    assert set(graph.processes.running()) >= set(graph.processes.system.node_names)
    assert graph.violations() == 0


@pytest.mark.parametrize(('kind', 'words'), [('frozen', 'does not move'), ('noise', '')])
def test_a_plan_the_robot_cannot_follow_is_refused_with_the_reason_and_the_task_ends(graph, tmp_path, kind, words):
    graph.begin()
    robot, recorder = graph.session.robot, graph.session.recorder
    recorder.start()
    topics = {view.name: view.image_topic for view in robot.views}
    graph.session.wait_for(lambda: all(recorder.count(topic) for topic in topics.values()), timeout_s=20.0, what='a picture of every view')
    frames = {}
    for view, topic in topics.items():
        picture = to_working_size(rgb_from_image(recorder.newest(topic)), robot.working_size)
        film = np.repeat(picture[None], 12, axis=0)
        frames[f'frames_{view}'] = film if kind == 'frozen' else np.random.default_rng(0).integers(0, 255, film.shape, dtype=np.uint8)
    np.savez(tmp_path / f'{kind}.npz', step_dt_s=0.3, **frames)
    graph.session.set_parameter('planner_node', 'recording', str(tmp_path / f'{kind}.npz'))
    graph.session.wait_for(lambda: kind in graph.session.planner.model, timeout_s=20.0, what='the planner reading the film')
    start = graph.newest_joints()
    outcome = graph.give().result(timeout=60.0)
    assert '6 plans in a row cannot be carried out by this robot' in outcome.text, outcome
    assert words in outcome.text
    assert float(np.abs(graph.newest_joints() - start).max()) < 0.01
    # The next film is a good one.
    graph.begin()
    graph.give()
    graph.wait_moving()
    graph.session.cancel()
    graph.task.result(timeout=20.0)


def test_of_two_sentences_at_once_one_is_carried_out_and_the_other_refused_with_the_reason(graph, wait_until):
    graph.begin()
    node, seen = graph.session.node, []
    prompts = node.create_publisher(String, 'task_prompt', qos.TASK)
    listener = node.create_subscription(Task, 'task', seen.append, qos.TASK)
    wait_until(lambda: prompts.get_subscription_count() > 0, 'executive_node does not listen', 20.0)
    first_line = len(graph.lines)
    prompts.publish(String(data='touch the green cube'))
    prompts.publish(String(data='touch the red cube'))
    wait_until(lambda: any('is being carried out; cancel it first' in text for _, text in graph.lines[first_line:]), 'no refusal', 20.0)
    wait_until(lambda: len(seen) >= 3, 'no task', 20.0)
    assert {(task.task_id, task.prompt) for task in seen} == {(seen[0].task_id, 'touch the green cube')}
    graph.session.trigger('stop')  # nobody holds a goal to cancel
    wait_until(lambda: not seen[-1].active, 'the task does not end', 20.0)
    node.destroy_publisher(prompts)
    node.destroy_subscription(listener)
