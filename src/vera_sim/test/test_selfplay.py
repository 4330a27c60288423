# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Self-play and clips of any robot: what moves, what is recorded about it, and that nothing is touched on the way."""

from __future__ import annotations

import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_core.goals import Goal
from vera_sim.clips import make_motion_clip
from vera_sim.driver import TrajectoryDriver
from vera_sim.poses import pose_sampler
from vera_sim.scene import sample_scene
from vera_sim.selfplay import collect, minimum_jerk_move, recorded_scene, shortest_move_s
from vera_sim.simulation import Simulation
from vera_sim.world import TIMESTEP_S, World

pytestmark = pytest.mark.sim


@pytest.mark.parametrize(('name', 'most'), [('allegro', 3), ('finger_5', 3), ('finger_1', 1)])
def test_half_of_the_moves_are_of_few_joints_and_all_joints_move_alike(name: str, most: int) -> None:
    robot = load_embodiment(name)
    world, rng = World(robot), np.random.default_rng(0)
    poses = pose_sampler(world)
    path = [poses.first_pose(rng)]
    for _ in range(80):
        path.append(poses.next_pose(path[-1], rng))
    moves = np.abs(np.diff(path, axis=0))
    few = ((moves > 1e-9).sum(axis=1) <= most).mean()
    assert few > 0.35
    assert (np.array(path) > robot.limits('lower')).all() and (np.array(path) < robot.limits('upper')).all()
    spread = np.std(path, axis=0) / np.array(world.simulation.self_play.spread)
    assert spread.min() > 0.45 and spread.max() < 1.4
    world.close()


def test_self_play_of_the_hand_touches_nothing_and_breaks_no_limit() -> None:
    robot = load_embodiment('allegro')
    world, rng = World(robot, sample_scene(robot, 5)), np.random.default_rng(5)
    assert world.simulation.self_play.peak_speed[0] <= robot.limits('velocity')[0]
    poses, driver = pose_sampler(world), TrajectoryDriver(robot, TIMESTEP_S)
    q, now, peak = poses.first_pose(rng), 0.0, np.array(world.simulation.self_play.peak_speed)
    world.set_joints(q)
    driver.reset(q)
    cube, deepest = world.cube_position('cube'), 0.0
    for _ in range(6):
        goal = poses.next_pose(q, rng)
        move = minimum_jerk_move(q, goal, peak, shortest_s=max(0.5, shortest_move_s(robot, goal - q)))
        assert driver.accept(list(robot.joint_names), now or TIMESTEP_S, *move, now) is None
        for tick in range(int(move[0][-1] / TIMESTEP_S) + 1):
            now += TIMESTEP_S
            world.step(*driver.tick(now))
            if tick % 10 == 0:
                deepest = min([deepest, *(contact.dist for contact in world.data.contact if world.robot_geoms[contact.geom].all())])
        q = goal
        np.testing.assert_allclose(world.joint_position, goal, atol=0.01)
    assert deepest > -1.5e-3
    np.testing.assert_allclose(world.cube_position('cube'), cube, atol=1e-3)
    counts = driver.violations
    assert (counts.position, counts.velocity, counts.acceleration, counts.jerk) == (0, 0, 0, 0)
    world.close()


def test_shortest_move_keeps_acceleration_and_jerk_by_hand() -> None:
    panda = load_embodiment('panda')
    gap = np.zeros(7)
    gap[0] = 0.3
    # Joint 1 may use 0.4 * 15 rad/s² and 0.05 * 7500 rad/s³: sqrt(5.7735 * 0.3 / 6) = 0.537 s, cbrt(60 * 0.3 / 375) = 0.363 s.
    assert shortest_move_s(panda, gap) == pytest.approx(0.5373, abs=1e-4)


def test_a_recording_tells_its_robot_and_scene(tmp_path) -> None:
    robot = load_embodiment('allegro')
    (path,) = collect(robot, tmp_path, seconds=0.5, seed=3)
    scene = recorded_scene(path, robot)
    assert scene.cubes[0].name == 'cube' and scene == sample_scene(robot, scene.seed)
    made = path.stat().st_mtime_ns
    assert collect(robot, tmp_path, seconds=0.5, seed=3) == [path] and path.stat().st_mtime_ns == made
    # The word of the file counts, not its name.
    renamed = path.rename(tmp_path / 'grasp.mcap')
    assert recorded_scene(renamed, robot) == scene
    with pytest.raises(ConfigError, match=r'was recorded with robot allegro, not panda; give --robot allegro'):
        recorded_scene(renamed, load_embodiment('panda'))


def test_a_clip_shows_the_path_in_every_view() -> None:
    robot = load_embodiment('allegro')
    world = World(robot)
    clip = make_motion_clip(world, np.stack([robot.home, robot.home, robot.home + 0.2]))
    for view in ('front', 'side'):
        frames = clip[view]
        assert frames.shape == (3, 128, 128, 3) and frames.dtype == np.uint8
        np.testing.assert_array_equal(frames[0], frames[1])
        assert np.abs(frames[2].astype(int) - frames[0]).mean() > 1.0
    world.close()


def test_joint_positions_sent_as_a_stream_are_followed_within_the_limits() -> None:
    robot = load_embodiment('allegro')
    simulation = Simulation(robot, seed=0, goal=Goal(task='reach', target=''), now_s=0.0)
    start = simulation.world.joint_position
    goal = np.clip(start + 0.2, robot.limits('lower'), robot.limits('upper'))
    assert simulation.target_distance == -1.0
    for k in range(100):
        s = min(1.0, k / 50)
        refusal = simulation.command_positions(list(robot.joint_names), start + (goal - start) * s**3 * (10 - 15 * s + 6 * s**2))
        assert refusal is None
        simulation.advance((k + 1) / 50)
    counts = simulation.driver.violations
    assert (counts.position, counts.velocity, counts.acceleration, counts.jerk) == (0, 0, 0, 0)
    np.testing.assert_allclose(simulation.world.joint_position, goal, atol=5e-3)
    jump = simulation.command_positions(list(robot.joint_names), goal - 0.5)
    assert jump is not None and 'would jump by 0.5' in jump.text
    lost = simulation.command_positions(list(robot.joint_names), np.full(16, np.nan))
    assert lost is not None and lost.code == 'not_finite'
    short = simulation.command_positions(list(robot.joint_names), goal[:15])
    assert short is not None and short.code == 'wrong_length'
    simulation.world.close()
