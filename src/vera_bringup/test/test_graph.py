# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One short run of the whole thing: an expert's video is the plan, the arm touches the cube in it."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from vera_bringup.security.access import OPERATOR, dds_access, own_nodes
from vera_bringup.task_run import Episode, run_task
from vera_bringup.timeline import Timeline
from vera_bringup.video import Video, write_mp4
from vera_jidm.registry import JACOBIAN_MODELS

pytestmark = [pytest.mark.e2e, pytest.mark.ros, pytest.mark.sim, pytest.mark.slow, pytest.mark.timeout(180)]


def test_a_recorded_reach_touches_the_cube_within_all_limits(graph, tmp_path):
    episode = Episode(seed=2**33 + 1, target='red_cube', prompt='touch the red cube', held_out=False)
    phases: list[str] = []
    row = run_task(graph.session, episode, prepare=graph.clips.prepare, on_feedback=lambda feedback: phases.append(feedback.phase))
    assert (row.success, row.touched[0], row.outcome) == (True, 'red_cube', 'succeeded'), row
    assert row.total_violations == 0
    assert row.refused_messages == 0, [line for line in graph.lines if 'refused' in line[1]]
    assert row.plans >= 1
    assert row.final_distance_mm is not None
    assert row.final_distance_mm < 30.0
    assert row.duty_cycle is not None
    assert row.duty_cycle > 0.5
    assert row.latency_p50_ms is not None
    assert row.latency_p50_ms < 500.0
    assert 'following' in phases

    robot = graph.session.robot
    timeline = Timeline(graph.session.recorder, robot)
    middle = timeline.at(timeline.duration_s / 2)
    assert middle.flow is not None
    assert middle.plan is not None
    film = Video(timeline, robot, JACOBIAN_MODELS.make('learned', robot=robot), prompt=row.prompt)
    write_mp4(tmp_path / 'demo.mp4', (film.draw(timeline.at(time_s)) for time_s in (0.0, timeline.duration_s / 2)), size=film.size)
    assert (tmp_path / 'demo.mp4').stat().st_size > 5000


def test_what_the_robot_side_publishes_keeps_its_rates(graph):
    session = graph.session
    session.recorder.start()
    began_s = session.now_s
    session.wait_for(lambda: session.now_s - began_s > 2.0, timeout_s=5.0, what='two seconds of recording')
    session.recorder.stop()
    for view in session.robot.views:
        # At least ten a second are promised; one in ten may be lost on a busy machine.
        assert session.recorder.count(view.image_topic) / 2.0 > 9.0
    assert session.recorder.count(session.robot.driver.joint_states_topic) / 2.0 > 90.0


def test_a_scene_that_does_not_exist_is_refused(graph):
    from vera_bringup.asking import SessionError

    with pytest.raises(SessionError, match="no object 'purple_cube' in the scene; known: .*red_cube"):
        graph.session.reset_scene(1, 'purple_cube')


def test_only_the_executive_reads_sentences(graph):
    # `ros2 topic pub --once` leaves when it has found one reader.
    readers = graph.session.node.get_subscriptions_info_by_topic(f'/{graph.processes.system.namespace}/task_prompt')
    assert [reader.node_name for reader in readers] == ['executive_node']


def test_nodes_say_and_hear_only_what_a_keystore_would_give_them(graph):
    system, node, robot = graph.processes.system, graph.session.node, graph.session.robot
    for spec in own_nodes(system):
        if spec.executable == OPERATOR:
            continue
        access, who = dds_access(spec, system.namespace, robot), (spec.name, f'/{system.namespace}')
        publishes = [f'rt{name}' for name, _ in node.get_publisher_names_and_types_by_node(*who)]
        subscribes = [f'rt{name}' for name, _ in node.get_subscriber_names_and_types_by_node(*who)]
        serves = [name for name, _ in node.get_service_names_and_types_by_node(*who)]
        calls = [name for name, _ in node.get_client_names_and_types_by_node(*who)]
        assert f'rt/{system.namespace}/alive/{spec.name}' in publishes, f'{spec.name} is not seen'
        publishes += [f'rr{name}Reply' for name in serves] + [f'rq{name}Request' for name in calls]
        subscribes += [f'rq{name}Request' for name in serves] + [f'rr{name}Reply' for name in calls]
        assert not_among(publishes, access.publish) == [], spec.name
        assert not_among(subscribes, access.subscribe) == [], spec.name


def not_among(names, patterns):
    return sorted(name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns))
