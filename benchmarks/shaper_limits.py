# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Does any sequence of commands make the shaper break a limit of position, velocity, acceleration or jerk? 4 to 5 ms per sequence, one core.

    python benchmarks/shaper_limits.py --sequences 1000000 --only 1/2 --json limits_1.json      # and 2/2 on a second core

A sequence is 20 commands from a random start (anywhere, at home, or next to position limits), each of them new: a velocity (small, or a burst
up to twenty times the limit), the reverse of the last, zero, the same again, or a pose to go to. They arrive every 10 to 40 ms and now and
then after a gap of up to 0.4 s, so that a ramp to rest begins or ends. Shaper, rolling reference and last look are those of the
controller; what the driver would then run is joined by quintics written anew here, and looked at 1000 times a second, to rest.
Sequences that broke a limit are counted per limit; `refused` are commands the last look kept back. Robots take turns, a chunk of 1000 sequences
each, drawn from its own number; stopped runs go on where they were. `--clearance` keeps links apart and below 0.25 m/s as well, at 3 times the cost.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from vera_control.clearance import clearance_of
from vera_control.limits import JointLimits, limits_of
from vera_control.reference import RollingReference
from vera_control.shaper import Points, Shaper, ShapingError
from vera_control.trajectory import JointMotion
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.shapes import FloatArray

ROBOTS = ('panda', 'fr3', 'allegro')
COMMANDS = 20
CHUNK = 1000
ACTIVE_STEPS = 3
LEAD_S = 0.1
SAMPLES_PER_POINT = 10
"""Ten looks in each interval of 10 ms: 1 kHz."""
SLACK = 1e-6
"""Relative to the limit, and in rad and rad/s."""


@dataclass(slots=True, kw_only=True)
class Count:
    """What was seen so far of one robot."""

    sequences: int = 0
    commands: int = 0
    samples: int = 0
    position: int = 0
    velocity: int = 0
    acceleration: int = 0
    jerk: int = 0
    refused: int = 0
    unsolved: int = 0
    seconds: float = 0.0
    peak_velocity: float = 0.0
    """Largest share of a velocity limit that was used."""
    peak_acceleration: float = 0.0
    peak_jerk: float = 0.0

    @property
    def violations(self) -> int:
        """Over all four limits."""
        return self.position + self.velocity + self.acceleration + self.jerk


class Bench:
    """The shaping half of the controller for one robot, and the driver's view of what it makes."""

    def __init__(self, robot: Embodiment, *, clearance: bool) -> None:
        self.robot = robot
        self.limits: JointLimits = limits_of(robot)
        guard = clearance_of(robot, max_speed_m_s=0.25, reaction_s=self.limits.stop_time_s + 0.03) if clearance else None
        self.shaper = Shaper(self.limits, guard)
        shares = np.linspace(0.0, 1.0, SAMPLES_PER_POINT + 1)
        # The polynomial of degree five through position, velocity and acceleration at both ends of a unit interval, and its derivatives at the shares.
        powers = np.arange(6)
        ends = [_derivative(at, order, powers) for at in (0.0, 1.0) for order in range(3)]
        inverse = np.linalg.inv(np.array(ends))
        rows = [np.array([_derivative(at, order, powers) for at in shares]) @ inverse for order in range(4)]
        self._look = np.stack(rows)

    def run(self, rng: np.random.Generator, count: Count) -> FloatArray:
        """Play one sequence and return the points the driver ran through, shape (K, 3, n)."""
        reference = RollingReference(self.limits, lead_s=LEAD_S)
        reference.anchor(self._start(rng))
        now_ns = 10_000_000_000 + int(rng.integers(0, 10_000_000))
        pieces: list[FloatArray] = []
        begin, velocity = 0, np.zeros(len(self.limits.names))
        current: FloatArray = np.stack([reference.rest, velocity, velocity])[None]
        for _ in range(COMMANDS):
            index, start = reference.takeover(now_ns)
            velocity, points = self._command(rng, velocity, start, count)
            count.commands += 1
            if points is not None:
                made = reference.extend(now_ns, index, start, points)
                if made is None:
                    count.refused += 1
                else:
                    pieces.append(current[: max(index - begin, 0)])
                    begin = index
                    first = JointMotion(position=start.position, velocity=start.velocity, acceleration=start.acceleration)
                    current = np.concatenate(
                        [
                            np.stack([first.position, first.velocity, first.acceleration])[None],
                            np.stack([points.position, points.velocity, points.acceleration], axis=1),
                        ]
                    )
            now_ns += int(rng.integers(10, 40) * 1e6) if rng.random() < 0.92 else int(rng.integers(40, 400) * 1e6)
        pieces.append(current)
        return np.concatenate(pieces)

    def look(self, runs: list[FloatArray], count: Count) -> None:
        """Look at what the driver interpolates between the points of sequences, and count those that broke a limit."""
        whole = np.concatenate(runs)
        owner = np.repeat(np.arange(len(runs)), [len(run) for run in runs])
        inner = owner[1:] == owner[:-1]
        h = self.limits.period_s
        scale = np.array([1.0, h, h * h])[:, None]
        ends = np.concatenate([whole[:-1][inner] * scale, whole[1:][inner] * scale], axis=1)
        origin = ends[:, :1, :].copy()
        ends[:, 0] -= origin[:, 0]
        ends[:, 3] -= origin[:, 0]
        position, velocity, acceleration, jerk = (np.tensordot(self._look[order], ends, axes=(1, 1)) / h**order for order in range(4))
        position += origin[:, 0]
        limits = self.limits
        slowest, fastest = -self._fastest(position - self.robot.limits('lower')), self._fastest(self.robot.limits('upper') - position)
        broken = {
            'position': (position < self.robot.limits('lower') - SLACK) | (position > self.robot.limits('upper') + SLACK),
            'velocity': (velocity < slowest * (1 + SLACK) - SLACK) | (velocity > fastest * (1 + SLACK) + SLACK),
            'acceleration': np.abs(acceleration) > limits.acceleration * (1 + SLACK),
            'jerk': np.abs(jerk) > limits.jerk * (1 + SLACK),
        }
        owners = owner[1:][inner]
        for name, where in broken.items():
            setattr(count, name, getattr(count, name) + len(np.unique(owners[where.any(axis=(0, 2))])))
        count.samples += int(position.shape[0] * position.shape[1])
        count.peak_velocity = max(count.peak_velocity, float(np.max(np.abs(velocity) / limits.velocity)))
        count.peak_acceleration = max(count.peak_acceleration, float(np.max(np.abs(acceleration) / limits.acceleration)))
        count.peak_jerk = max(count.peak_jerk, float(np.max(np.abs(jerk) / limits.jerk)))
        count.sequences += len(runs)

    def _fastest(self, room: FloatArray) -> FloatArray:
        """Return how fast joints may move towards a position limit of the robot file that is `room` away, same shape, rad/s: Franka's rule."""
        speed = np.broadcast_to(self.robot.limits('velocity'), room.shape).copy()
        for index, joint in enumerate(self.robot.joints):
            if joint.deceleration is not None:
                rule = np.sqrt(2 * joint.deceleration * np.maximum(room[..., index], 0.0)) - joint.velocity_offset
                speed[..., index] = self.robot.limit_scale.velocity * np.clip(rule, 0.0, joint.velocity)
        return speed

    def _start(self, rng: np.random.Generator) -> FloatArray:
        lower, upper = self.limits.lower, self.limits.upper
        kind = rng.random()
        if kind < 0.2:
            return self.robot.home
        anywhere = rng.uniform(lower, upper)
        if kind < 0.6:
            return np.asarray(anywhere)
        near = rng.random(len(lower)) < 0.4
        edge = np.where(rng.random(len(lower)) < 0.5, lower + rng.exponential(0.03, len(lower)), upper - rng.exponential(0.03, len(lower)))
        return np.asarray(np.clip(np.where(near, edge, anywhere), lower, upper))

    def _command(self, rng: np.random.Generator, last: FloatArray, start: JointMotion, count: Count) -> tuple[FloatArray, Points | None]:
        kind = rng.random()
        try:
            if kind < 0.08:
                goal = rng.uniform(self.limits.soft_lower, self.limits.soft_upper)
                points = self.shaper.towards_position(start, goal, ACTIVE_STEPS, speed_scale=float(rng.uniform(0.05, 1.0)))
                return last, points
            if kind < 0.16:
                return np.zeros_like(last), None if start.is_at_rest else self.shaper.to_rest(start)
            if kind < 0.36:
                velocity = -last
            elif kind < 0.5:
                velocity = last
            else:
                size = 10 ** rng.uniform(-2.0, 1.3)
                velocity = rng.normal(0.0, size, len(last)) * self.limits.velocity * (rng.random(len(last)) < 0.8)
            return velocity, self.shaper.towards_velocity(start, velocity, ACTIVE_STEPS)
        except ShapingError:
            # The controller stops here and lets the trajectory in force bring the arm to rest.
            count.unsolved += 1
            return last, None


def _derivative(at: float, order: int, powers: FloatArray) -> FloatArray:
    """Return the derivative of s^powers at a share of the interval, shape (6,)."""
    factor = np.ones(6)
    for step in range(order):
        factor = factor * (powers - step)
    return np.asarray(factor * at ** np.maximum(powers - order, 0))


def run_chunk(bench: Bench, number: int, sequences: int, count: Count) -> None:
    """Play and look at a chunk of sequences; the same number gives the same chunk."""
    began = time.process_time()
    rng = np.random.default_rng([ROBOTS.index(bench.robot.name), number])
    for first in range(0, sequences, 50):
        bench.look([bench.run(rng, count) for _ in range(min(50, sequences - first))], count)
    count.seconds += time.process_time() - began


def show(counts: dict[str, Count], console: Console) -> None:
    """Print the table."""
    table = Table(title='sequences that broke a limit')
    for column in (
        'robot',
        'sequences',
        'samples',
        'position',
        'velocity',
        'acceleration',
        'jerk',
        'refused',
        'unsolved',
        'peak v / a / j',
        'per s',
    ):
        table.add_column(column, justify='left' if column == 'robot' else 'right')
    for name, each in counts.items():
        peaks = f'{each.peak_velocity:.3f} / {each.peak_acceleration:.3f} / {each.peak_jerk:.3f}'
        numbers = (each.position, each.velocity, each.acceleration, each.jerk, each.refused, each.unsolved)
        rate = each.sequences / each.seconds if each.seconds else 0.0
        table.add_row(name, f'{each.sequences:,}', f'{each.samples:,}', *(str(number) for number in numbers), peaks, f'{rate:.0f}')
    console.print(table)


def main() -> int:
    """Run until the number of sequences is reached; 1 when a limit was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--sequences', type=int, default=3000, help='in all, a third for each robot')
    parser.add_argument('--only', default='1/1', help='K/N: every Nth chunk from the Kth on, for several processes')
    parser.add_argument('--robot', choices=ROBOTS, action='append', help='these robots only')
    parser.add_argument(
        '--clearance', action='store_true', help='with the distances to the table and between links, and the speed in space'
    )
    parser.add_argument('--json', type=Path, help='result so far; a run goes on from it')
    arguments = parser.parse_args()
    shard, shards = (int(part) for part in arguments.only.split('/'))
    robots = arguments.robot or list(ROBOTS)
    setting = {'only': arguments.only, 'clearance': arguments.clearance}
    counts, done = {name: Count() for name in robots}, dict.fromkeys(robots, 0)
    if arguments.json and arguments.json.is_file():
        stored = json.loads(arguments.json.read_text(encoding='utf-8'))
        if stored['setting'] != setting:
            parser.error(f'{arguments.json} was made with {stored["setting"]}; give another file or the same options')
        counts |= {name: Count(**each) for name, each in stored['counts'].items()}
        done |= stored['chunks']
    each = -(-arguments.sequences // (len(robots) * shards))
    console = Console(width=150)
    benches = {name: Bench(load_embodiment(name), clearance=arguments.clearance) for name in robots}
    while left := [name for name in robots if counts[name].sequences < each]:
        for name in left:
            run_chunk(benches[name], done[name] * shards + shard - 1, min(CHUNK, each - counts[name].sequences), counts[name])
            done[name] += 1
        if arguments.json:
            text = json.dumps(
                {'setting': setting, 'chunks': done, 'counts': {key: asdict(value) for key, value in counts.items()}}, indent=1
            )
            partial = arguments.json.with_suffix('.part')
            partial.write_text(text, encoding='utf-8')
            partial.replace(arguments.json)
    show(counts, console)
    return int(any(value.violations for value in counts.values()))


if __name__ == '__main__':
    raise SystemExit(main())
