# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Labels that need no simulator: the motion a flow estimator sees between two moments of a recording."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.shapes import Array
from vera_jidm.flow.camera_size import estimate_from_camera_size
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.solve.rows import pool_to_cells
from vera_jidm.training.dataset import GAPS, STEP_RANGE, Pairs, Report, Waypoints, save_arrays, take_pictures
from vera_jidm.training.recording import Recording, read_recording

Fan = tuple[int, ...]
"""A first moment and the moments that are compared with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions:
    """Which pairs are labelled and how."""

    starts: int
    """First moments wanted per recording, >= 1."""
    both_ways: bool = False
    """Also label a step back in time from every first moment. The opposite steps share a picture, so the network runs once for both, and
    what is not linear in the step cancels between them."""
    scale: int = 1
    """Size at which flow is estimated over the working size, >= 1. Recordings are read again at that size."""
    waypoints: bool = False
    """Keep the pictures half way and at the end."""


def find_fans(recording: Recording, rng: np.random.Generator, count: int, *, both_ways: bool) -> list[Fan]:
    """Return up to `count` first moments, each with a later and if wanted also an earlier one whose joint steps are within STEP_RANGE."""
    fans: list[Fan] = []
    low, high = STEP_RANGE
    for start in rng.permutation(len(recording)):
        ends = []
        for direction in (1, -1) if both_ways else (1,):
            near = [start + direction * gap for gap in GAPS if 0 <= start + direction * gap < len(recording)]
            usable = [end for end in near if low <= np.linalg.norm(recording.position[end] - recording.position[start]) <= high]
            ends += [int(rng.choice(usable))] if usable else []
        if len(ends) == 1 + both_ways:
            fans.append((int(start), *ends))
        if len(fans) == count:
            break
    return fans


def estimate_pairs(
    recordings: Sequence[Recording],
    robot: Embodiment,
    estimator: FlowEstimator,
    *,
    stride: int,
    options: PairOptions,
    rng: np.random.Generator,
    cache: Path | None,
    report: Report,
) -> Pairs:
    """Return pairs of moments with the flow the estimator sees between them; labels are kept in `cache` for the next run.

    Raises:
        ConfigError: If the robot hardly moves in any recording.
    """
    found = [(recording, find_fans(recording, rng, options.starts, both_ways=options.both_ways)) for recording in recordings]
    found = [(recording, fans) for recording, fans in found if fans]
    if not found:
        raise ConfigError(f'no two moments of {len(recordings)} recordings are {STEP_RANGE} rad apart; the robot has to move in self-play')
    flows, trusts = [], []
    for number, (recording, fans) in enumerate(found, 1):
        flow, trust = _cached_flow(recording, fans, robot, estimator, stride, options.scale, cache)
        flows.append(flow)
        trusts.append(trust)
        report('estimated flow', number, len(found))
    starts = [(recording, np.array([fan[0] for fan in fans])) for recording, fans in found]
    return Pairs(
        pictures=np.concatenate([take_pictures(recording, robot, indices) for recording, indices in starts]),
        position=np.concatenate([recording.position[indices] for recording, indices in starts]),
        delta_q=np.stack(
            [recording.position[end] - recording.position[fan[0]] for recording, fans in found for fan in fans for end in fan[1:]]
        ),
        flow=np.concatenate(flows),
        trust=np.concatenate(trusts),
        waypoints=_waypoints(found, robot) if options.waypoints else None,
    )


def _cached_flow(
    recording: Recording, fans: Sequence[Fan], robot: Embodiment, estimator: FlowEstimator, stride: int, scale: int, cache: Path | None
) -> tuple[Array, Array]:
    what = (type(estimator).__name__, repr(getattr(estimator, 'settings', '')), stride, scale, robot.working_size, fans)
    identity = hashlib.sha256(recording.position.tobytes() + recording.stamps_ns.tobytes() + repr(what).encode()).hexdigest()[:16]
    path = None if cache is None else cache / f'flow-{recording.path.stem}-{identity}.npz'
    if path is not None and path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            return stored['flow'], stored['trust']
    if scale > 1:
        height, width = robot.working_size
        recording = read_recording(recording.path, dataclasses.replace(robot, working_size=(scale * height, scale * width)))
    flows, trusts = [], []
    for start, end in ((fan[0], end) for fan in fans for end in fan[1:]):
        frames = ((recording.frames[view][start], recording.frames[view][end]) for view in robot.view_names)
        seen = [estimate_from_camera_size(estimator, *pair, robot.working_size) for pair in frames]
        flows.append([pool_to_cells(flow, stride).transpose(2, 0, 1) for flow, _ in seen])
        trusts.append([pool_to_cells(trust, stride) for _, trust in seen])
    flow, trust = np.array(flows, dtype=np.float16), np.array(trusts, dtype=np.float16)
    if path is not None:
        save_arrays(path, flow=flow, trust=trust)
    return flow, trust


def _waypoints(found: Sequence[tuple[Recording, Sequence[Fan]]], robot: Embodiment) -> Waypoints:
    """Between neighbours in time there is no moment half way: there the start is taken, which makes the first half empty."""
    parts = []
    for recording, fans in found:
        ends = np.array([fan[1] for fan in fans])
        middles = np.array([start + (end - start) // 2 for start, end, *_ in fans])
        pictures = [take_pictures(recording, robot, indices) for indices in (middles, ends)]
        parts.append((np.stack(pictures, axis=1), np.stack([recording.position[middles], recording.position[ends]], axis=1)))
    return Waypoints(pictures=np.concatenate([part[0] for part in parts]), position=np.concatenate([part[1] for part in parts]))
