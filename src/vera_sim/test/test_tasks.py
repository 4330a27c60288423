# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Experts reach their goals in the physics, and checks say yes only to what was asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator

import mujoco
import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError, EmbodimentError
from vera_core.goals import Goal, all_goals, held_out_goals, training_goals
from vera_sim.clips import STEP_DT_S, clip_goal
from vera_sim.expert import fingertip_position
from vera_sim.oracle import image_flow, image_jacobian
from vera_sim.robots.panda import FINGERS, PINION_M
from vera_sim.tasks import find_task
from vera_sim.tasks.hand_path import Waypoint, heading_of, path_through, pointing_down
from vera_sim.tasks.perform import perform
from vera_sim.tasks.pick import HOVER_FARTHEST_M, HOVER_M, HOVER_SPREAD_M, OPEN_M, grasp_waypoints, missed_start
from vera_sim.world import World

pytestmark = pytest.mark.sim


def put(world: World, name: str, offset: tuple[float, float, float]) -> None:
    """Move a cube by an offset, m."""
    start = world.model.joint(name).qposadr[0]
    world.data.qpos[start : start + 3] += offset
    world.step(world.joint_position, np.zeros_like(world.joint_position))


@pytest.mark.parametrize('direction', ['left', 'towards'])
def test_the_expert_pushes_the_right_cube_the_right_way(world: World, direction: str) -> None:
    done = perform(world, Goal(task='push', target='green_cube', direction=direction), 5, every_s=0.3)
    assert done.success, done.text
    assert len(done.states) == len(done.joints)


def test_a_push_needs_way_direction_and_still_neighbours(world: World) -> None:
    goal = Goal(task='push', target='red_cube', direction='left')
    task = find_task('push')

    def verdict(*moves: tuple[str, tuple[float, float, float]]) -> bool:
        world.set_scene(task.scene(world.robot, 3, goal))
        check = task.check(world, goal)
        for name, offset in moves:
            put(world, name, offset)
        check.update(world, 0.02)
        return check.success

    assert verdict(('red_cube', (0.0, 0.055, 0.0)))
    assert not verdict()
    assert not verdict(('red_cube', (0.0, 0.045, 0.0)))
    assert not verdict(('red_cube', (0.0, -0.06, 0.0)))
    assert not verdict(('red_cube', (0.06, 0.052, 0.0)))
    assert not verdict(('red_cube', (0.0, 0.06, 0.0)), ('blue_cube', (0.03, 0.0, 0.0)))


def test_scenes_of_a_goal_are_repeatable_and_have_room(world: World) -> None:
    task = find_task('push')
    for goal in all_goals('push'):
        scene = task.scene(world.robot, 11, goal)
        assert scene == task.scene(world.robot, 11, goal)
        assert scene.seed == 11


def test_training_clips_never_show_a_held_out_goal() -> None:
    for task in ('push', 'pick', 'stack'):
        drawn = {clip_goal(task, seed) for seed in range(300)}
        assert drawn == set(training_goals(task))
        assert {clip_goal(task, seed, held_out=True) for seed in range(60)} == set(held_out_goals(task))
    with pytest.raises(ConfigError, match='task reach holds no goal out|holds no goal out'):
        clip_goal('rotate', 0, held_out=True)


@pytest.fixture(scope='module')
def gripping() -> Iterator[World]:
    made = World(load_embodiment('panda_gripper'))
    yield made
    made.close()


@pytest.mark.parametrize(
    'goal', [Goal(task='pick', target='red_cube'), Goal(task='stack', target='yellow_cube', onto='green_cube')], ids=lambda goal: goal.task
)
def test_the_expert_with_a_gripper_reaches_its_goal(gripping: World, goal: Goal) -> None:
    done = perform(gripping, goal, 2, every_s=0.3)
    assert done.success, done.text
    # The gripper closed on the cube and, for a stack, opened again.
    gripper = done.joints[:, 7]
    size = gripping.scene.cube(goal.target).size
    assert PINION_M * gripper.min() < size / 2 < PINION_M * gripper[0]
    assert (PINION_M * gripper[-1] > size / 2) == (goal.task == 'stack')


@pytest.mark.parametrize('seed', range(6))
def test_a_missed_grasp_is_never_around_the_cube_and_the_expert_recovers(gripping: World, seed: int) -> None:
    goal = Goal(task='pick', target='red_cube')
    gripping.set_scene(find_task('pick').scene(gripping.robot, seed, goal))
    cube, q = gripping.scene.cube('red_cube'), missed_start(gripping, goal, seed)
    tip = fingertip_position(q[:7])
    aside, over = float(np.linalg.norm(tip[:2] - cube.xy)), float(tip[2] - cube.floor - cube.size)
    assert aside < 0.08
    assert over < 0.14
    assert over > 0.005 or aside > 0.04
    assert perform(gripping, goal, seed, every_s=STEP_DT_S, start_of=missed_start).success
    # Over the cube with open fingers there is no need to go up again.
    ready = path_through(
        q,
        (
            Waypoint(
                position=np.array([*cube.xy, cube.floor + cube.size + 0.03]), rotation=pointing_down(heading_of(q[:7])), opening=OPEN_M
            ),
        ),
    )[-1]
    assert len(grasp_waypoints(cube, ready, np.random.default_rng(0))) == 2
    assert len(grasp_waypoints(cube, np.append(ready[:7], 0.0), np.random.default_rng(0))) == 3


def test_an_expert_hovers_beside_its_cube_and_grips_its_middle(gripping: World) -> None:
    gripping.set_scene(find_task('pick').scene(gripping.robot, 3, Goal(task='pick', target='red_cube')))
    cube = gripping.scene.cube('red_cube')
    ways = [grasp_waypoints(cube, gripping.robot.home, np.random.default_rng(seed)) for seed in range(40)]
    aside = [float(np.linalg.norm(way[0].position[:2] - cube.xy)) for way in ways]
    assert max(aside) <= HOVER_FARTHEST_M + 1e-9
    assert 0.008 < np.median(aside) < 0.02
    for way in ways:
        assert np.allclose(way[1].position[:2], cube.xy)
        assert abs(way[0].position[2] - cube.floor - cube.size - HOVER_M) <= HOVER_SPREAD_M


def test_a_stack_needs_the_target_on_the_other_let_go_and_still(gripping: World) -> None:
    goal = Goal(task='stack', target='red_cube', onto='blue_cube')
    task = find_task('stack')
    gripping.set_scene(task.scene(gripping.robot, 4, goal))
    gripping.set_joints(gripping.robot.home)
    red, blue = gripping.scene.cube('red_cube'), gripping.scene.cube('blue_cube')
    check = task.check(gripping, goal)
    for _ in range(30):
        check.update(gripping, 0.02)
    assert not check.success
    put(gripping, 'red_cube', (blue.xy[0] - red.xy[0], blue.xy[1] - red.xy[1], blue.size))
    for _ in range(30):
        check.update(gripping, 0.02)
    assert check.success, check.text
    gripping.set_joints(np.append(gripping.robot.home[:7], red.size / 2 / PINION_M))
    for _ in range(30):
        check.update(gripping, 0.02)
    assert not check.success, check.text


def test_robots_without_a_driven_gripper_are_refused(world: World) -> None:
    with pytest.raises(
        EmbodimentError, match='task pick needs a gripper that is driven, and robot panda has none; take --robot panda_gripper'
    ):
        perform(world, Goal(task='pick', target='red_cube'), 0, every_s=0.3)


def test_the_gripper_moves_both_fingers_and_the_oracle_knows(gripping: World) -> None:
    q = gripping.robot.home.copy()
    q[7] = 0.5
    gripping.set_joints(q)
    fingers = [gripping.data.joint(f'robot/{name}').qpos[0] for name in FINGERS]
    np.testing.assert_allclose(fingers, [0.02, 0.02], atol=1e-9)
    step = np.zeros(8)
    step[7] = 0.02
    flow = image_flow(gripping, 'front', q, q + step).reshape(32, 4, 32, 4, 2).mean(axis=(1, 3))
    column = image_jacobian(gripping, 'front', q).jacobian[..., 7]
    np.testing.assert_allclose(flow / step[7], column, atol=2e-3)
    assert np.abs(column).max() > 1.0


@pytest.fixture(scope='module')
def hand() -> Iterator[World]:
    made = World(load_embodiment('allegro'))
    yield made
    made.close()


@pytest.mark.parametrize('direction', ['clockwise', 'counter-clockwise'])
def test_the_gait_turns_the_cube_the_right_way(hand: World, direction: str) -> None:
    done = perform(hand, Goal(task='rotate', target='cube', direction=direction), 1, every_s=0.3)
    assert done.success, done.text


def test_a_turn_counts_in_its_direction_only_and_a_tipped_cube_never(hand: World) -> None:
    verdicts = {}
    for direction in ('clockwise', 'counter-clockwise'):
        goal = Goal(task='rotate', target='cube', direction=direction)
        task = find_task('rotate')
        hand.set_scene(task.scene(hand.robot, 0, goal))
        check = task.check(hand, goal)
        yaw = hand.scene.cube('cube').yaw
        start = hand.model.joint('cube').qposadr[0]
        for turn in np.linspace(0.0, 1.0, 6):
            half = (yaw + turn) / 2
            hand.data.qpos[start + 3 : start + 7] = np.cos(half), 0.0, 0.0, np.sin(half)
            mujoco.mj_forward(hand.model, hand.data)
            check.update(hand, 0.02)
        verdicts[direction] = check.success
        assert check.turn_deg == pytest.approx(math.degrees(1.0) * (1 if direction == 'counter-clockwise' else -1), abs=0.1)
        hand.data.qpos[start + 3 : start + 7] = np.cos(0.5), np.sin(0.5), 0.0, 0.0
        mujoco.mj_forward(hand.model, hand.data)
        check.update(hand, 0.02)
        assert not check.success
    assert verdicts == {'clockwise': False, 'counter-clockwise': True}
