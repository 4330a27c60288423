# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Self-play: the robot moves at random, smoothly, and everything it sees, measures and is told is written to MCAP files.

The motion is what a real robot would be asked for: minimum-jerk moves between random poses, sent as trajectories through the same driver the
nodes use, half of them near the poses of the task and a part of them with one or two joints only, so that weak joints show in the pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.shapes import FloatArray
from vera_sim.driver import TrajectoryDriver
from vera_sim.expert import DOWN, HOME, fingertip_position, random_rotation, solve_fingertip
from vera_sim.mcap_log import McapLog
from vera_sim.scene import Scene, sample_scene
from vera_sim.world import TIMESTEP_S, World

IMAGE_PERIOD_S = 0.1
STATE_PERIOD_S = 0.02
POINT_PERIOD_S = 0.05
FIRST_STAMP_NS = 1_700_000_000_000_000_000
# Peak speeds, rad/s: fast for the wrist, whose motion hardly shows, slow for the joints that sweep the whole arm through the picture.
PEAK_SPEED = np.array([0.8, 0.7, 0.8, 0.8, 1.8, 1.5, 2.0])
SPREAD = np.array([0.45, 0.35, 0.4, 0.4, 0.6, 0.45, 0.8])


def collect(
    robot: Embodiment,
    folder: Path,
    *,
    seconds: float,
    seed: int,
    seconds_per_file: float = 60.0,
    on_second: Callable[[float], None] | None = None,
) -> list[Path]:
    """Record self-play of the simulated Panda; files that are complete already are kept, so an interrupted run goes on.

    Args:
        robot: Joint names, limits and topics.
        folder: Where `selfplay_SEED_NNN.mcap` files go.
        seconds: Simulated time in all, s.
        seed: Same seed, same motion and scenes.
        seconds_per_file: Length of one file; every file has a scene of its own.
        on_second: Called with the simulated seconds recorded so far.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world = World(sample_scene(0))
    paths = []
    for index in range(int(np.ceil(seconds / seconds_per_file))):
        path = folder / f'selfplay_{seed}_{index:03d}.mcap'
        paths.append(path)
        if path.exists():
            continue
        partial = path.with_suffix('.partial')
        length = min(seconds_per_file, seconds - index * seconds_per_file)
        with McapLog(partial) as log:
            _record(robot, world, log, length, np.random.default_rng([seed, index]), index * seconds_per_file, on_second)
        partial.rename(path)
    world.close()
    return paths


def recorded_scene(path: Path) -> Scene:
    """The scene that the self-play file of that name was recorded in; for labels made after the recording."""
    _, seed, index = path.stem.split('_')
    return _scene(np.random.default_rng([int(seed), int(index)]))


def _scene(rng: np.random.Generator) -> Scene:
    return sample_scene(int(rng.integers(1 << 31)))


def _record(
    robot: Embodiment,
    world: World,
    log: McapLog,
    length_s: float,
    rng: np.random.Generator,
    done_s: float,
    on_second: Callable[[float], None] | None,
) -> None:
    world.set_scene(_scene(rng))
    q = _random_pose(robot, HOME, rng)
    world.set_joints(q)
    driver = TrajectoryDriver(robot, TIMESTEP_S)
    driver.reset(q)
    names = list(robot.joint_names)
    move_ends_s, step = 0.0, 0
    while step * TIMESTEP_S < length_s:
        now = step * TIMESTEP_S
        stamp = FIRST_STAMP_NS + int((done_s + now) * 1e9)
        if now >= move_ends_s:
            goal = _next_pose(robot, q, rng)
            times, positions, velocities, accelerations = minimum_jerk_move(q, goal, rng.uniform(0.6, 1.0) * PEAK_SPEED)
            refusal = driver.accept(names, now or TIMESTEP_S, times, positions, velocities, accelerations, now)
            if refusal is not None:
                raise RuntimeError(f'self-play made a trajectory its own driver refuses: {refusal.text}')
            log.trajectory(robot.driver.command_topic, stamp, names, times, positions, velocities, accelerations)
            q, move_ends_s = goal, now + float(times[-1])
        if step % round(STATE_PERIOD_S / TIMESTEP_S) == 0:
            log.joint_state(robot.driver.joint_states_topic, stamp, names, world.joint_position, world.joint_velocity)
        if step % round(IMAGE_PERIOD_S / TIMESTEP_S) == 0:
            for view in robot.views:
                ok, jpeg = cv2.imencode('.jpg', cv2.cvtColor(world.render(view.name), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])
                assert ok
                log.image(f'{view.image_topic}/compressed', stamp, view.name, jpeg.tobytes())
        world.step(*driver.tick(now + TIMESTEP_S))
        step += 1
        if on_second is not None and step % 500 == 0:
            on_second(done_s + step * TIMESTEP_S)


def minimum_jerk_move(
    q_from: FloatArray, q_to: FloatArray, peak_speed: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Sample a minimum-jerk move with all joints in step: times (P,), positions, velocities, accelerations (P, n)."""
    # The peak speed of a minimum-jerk profile is 1.875 times its mean.
    duration = max(0.5, float((1.875 * np.abs(q_to - q_from) / peak_speed).max()))
    count = int(np.ceil(duration / POINT_PERIOD_S)) + 1
    s = np.linspace(0.0, 1.0, count)
    gap = (q_to - q_from)[None]
    position = q_from + gap * (s**3 * (10 - 15 * s + 6 * s**2))[:, None]
    velocity = gap * (30 * s**2 * (1 - s) ** 2)[:, None] / duration
    acceleration = gap * (60 * s * (1 - s) * (1 - 2 * s))[:, None] / duration**2
    # Time zero belongs to the state the arm is in; the first point to reach comes after it.
    return s[1:] * duration, position[1:], velocity[1:], acceleration[1:]


def _next_pose(robot: Embodiment, q: FloatArray, rng: np.random.Generator) -> FloatArray:
    if rng.random() < 0.4:
        for _ in range(20):
            goal = q.copy()
            joints = rng.choice(len(q), size=int(rng.integers(1, 3)), replace=False)
            goal[joints] += rng.normal(0, 0.8 * SPREAD[joints])
            if _is_safe(robot, goal):
                return goal
    return _random_pose(robot, q, rng)


def _random_pose(robot: Embodiment, q_near: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Half of the poses reach over the table as the task does, the others spread widely about home."""
    while True:
        if rng.random() < 0.55:
            target = np.array([rng.uniform(0.30, 0.68), rng.uniform(-0.30, 0.30), rng.uniform(0.035, 0.48)])
            reference = HOME + rng.normal(0, 0.3, 7)
            goal, error = solve_fingertip(target, random_rotation(rng, 0.2) @ DOWN, reference, reference)
            if error > 5e-3:
                continue
        else:
            goal = HOME + rng.normal(0, SPREAD)
        if _is_safe(robot, goal):
            return goal


def _is_safe(robot: Embodiment, q: FloatArray) -> bool:
    inside = (q > robot.limits('lower') + 0.1).all() and (q < robot.limits('upper') - 0.1).all()
    return bool(inside and fingertip_position(q)[2] > 0.03)
