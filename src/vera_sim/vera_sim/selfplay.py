# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Self-play: the robot moves at random, smoothly, and everything it sees, measures and is told is written to MCAP files.

The motion is what a real robot would be asked for: minimum-jerk moves between random poses, sent as trajectories through the same driver the
nodes use; `poses` says which. A part of the moves is of a few joints only, so that weak joints show in the pictures.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from mcap.reader import make_reader

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray
from vera_sim.driver import TrajectoryDriver
from vera_sim.mcap_log import McapLog
from vera_sim.poses import pose_sampler
from vera_sim.scene import Scene, sample_scene
from vera_sim.world import TIMESTEP_S, World

IMAGE_PERIOD_S = 0.1
STATE_PERIOD_S = 0.02
POINT_PERIOD_S = 0.05
SHORTEST_S = 0.5
FIRST_STAMP_NS = 1_700_000_000_000_000_000
METADATA = 'vera_sim'
"""Name of the record in which a file tells its robot and scene."""


def collect(
    robot: Embodiment,
    folder: Path,
    *,
    seconds: float,
    seed: int,
    seconds_per_file: float = 60.0,
    on_second: Callable[[float], None] | None = None,
) -> list[Path]:
    """Record self-play of a simulated robot; files that are complete already are kept, so an interrupted run goes on.

    Args:
        robot: Joint names, limits, topics, and how it stands in the simulator.
        folder: Where `selfplay_SEED_NNN.mcap` files go.
        seconds: Simulated time in all, s.
        seed: Same seed, same motion and scenes.
        seconds_per_file: Length of one file; every file has a scene of its own.
        on_second: Called with the simulated seconds recorded so far.
    """
    world = World(robot)
    folder.mkdir(parents=True, exist_ok=True)
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


def recorded_scene(path: Path, robot: Embodiment) -> Scene:
    """The scene that a self-play file was recorded in; for labels made after the recording.

    Raises:
        ConfigError: If the file is none of simulated self-play, or one of another robot.
    """
    told = _metadata(path)
    if told.get('robot', robot.name) != robot.name:
        raise ConfigError(f'{path} was recorded with robot {told["robot"]}, not {robot.name}; give --robot {told["robot"]} or other data')
    if 'scene_seed' in told:
        return sample_scene(robot, int(told['scene_seed']))
    named = re.fullmatch(r'selfplay_(\d+)_(\d+)', path.stem)
    if named is None:
        raise ConfigError(f'{path} is no recording of simulated self-play; for recordings of a robot use --labels estimated')
    return _draw_scene(robot, np.random.default_rng([int(named[1]), int(named[2])]))


def _metadata(path: Path) -> dict[str, str]:
    with path.open('rb') as stream:
        return next((dict(entry.metadata) for entry in make_reader(stream).iter_metadata() if entry.name == METADATA), {})


def _draw_scene(robot: Embodiment, rng: np.random.Generator) -> Scene:
    return sample_scene(robot, int(rng.integers(1 << 31)))


def _record(
    robot: Embodiment,
    world: World,
    log: McapLog,
    length_s: float,
    rng: np.random.Generator,
    done_s: float,
    on_second: Callable[[float], None] | None,
) -> None:
    scene = _draw_scene(robot, rng)
    log.metadata(METADATA, {'robot': robot.name, 'scene': world.simulation.scene, 'scene_seed': str(scene.seed)})
    world.set_scene(scene)
    poses = pose_sampler(world)
    q = poses.first_pose(rng)
    world.set_joints(q)
    peak_speed = np.array(world.simulation.self_play.peak_speed)
    driver = TrajectoryDriver(robot, TIMESTEP_S)
    driver.reset(q)
    names = list(robot.joint_names)
    move_ends_s, step = 0.0, 0
    while step * TIMESTEP_S < length_s:
        now = step * TIMESTEP_S
        stamp = FIRST_STAMP_NS + int((done_s + now) * 1e9)
        if now >= move_ends_s:
            goal = poses.next_pose(q, rng)
            times, positions, velocities, accelerations = minimum_jerk_move(
                q, goal, rng.uniform(0.6, 1.0) * peak_speed, shortest_s=max(SHORTEST_S, shortest_move_s(robot, goal - q))
            )
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
    q_from: FloatArray, q_to: FloatArray, peak_speed: FloatArray, *, shortest_s: float = SHORTEST_S
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Sample a minimum-jerk move with all joints in step: times (P,), positions, velocities, accelerations (P, n)."""
    # The peak speed of a minimum-jerk profile is 1.875 times its mean.
    duration = max(shortest_s, float((1.875 * np.abs(q_to - q_from) / peak_speed).max()))
    count = int(np.ceil(duration / POINT_PERIOD_S)) + 1
    s = np.linspace(0.0, 1.0, count)
    gap = (q_to - q_from)[None]
    position = q_from + gap * (s**3 * (10 - 15 * s + 6 * s**2))[:, None]
    velocity = gap * (30 * s**2 * (1 - s) ** 2)[:, None] / duration
    acceleration = gap * (60 * s * (1 - s) * (1 - 2 * s))[:, None] / duration**2
    # Time zero belongs to the state the arm is in; the first point to reach comes after it.
    return s[1:] * duration, position[1:], velocity[1:], acceleration[1:]


def shortest_move_s(robot: Embodiment, gap: FloatArray) -> float:
    """Shortest minimum-jerk move over `gap`, shape (n,), rad, that keeps the robot's acceleration and jerk limits, s."""
    # Peaks of the profile over duration T: acceleration 10/sqrt(3) gap/T², jerk 60 gap/T³.
    reach = np.abs(gap)
    return float(
        max((10 / np.sqrt(3) * reach / robot.limits('acceleration')).max() ** (1 / 2), (60 * reach / robot.limits('jerk')).max() ** (1 / 3))
    )
