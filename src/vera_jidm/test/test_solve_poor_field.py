# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A field that is wrong about weak joints must not pull them away while the strong joints bring the picture near.

Seen in a study with a field trained for a minute: the picture came within 3 px, the joints went from 1.0 to 1.9 rad. Here it is a jointed arm
with points on its links, two pinhole cameras, a planned motion, and a field that is right about strong joints but for 15 % and shows weak ones
a third of their motion and otherwise motions of whole links that are not there; it depends smoothly on the pose, as a network would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from vera_jidm.solve.joint_step import SolveSettings, solve_rows
from vera_jidm.solve.rows import Rows

JOINTS = 7
AXES = np.array([[0, 0, 1], [0, 1, 0]] * 3 + [[0, 0, 1]], dtype=float)
OFFSETS_M = np.array([0.33, 0.0, 0.32, 0.0, 0.38, 0.0, 0.1])
POINTS = {2: (18, 0.32, 0.05), 4: (18, 0.38, 0.05), 5: (8, 0.1, 0.05), 6: (14, 0.12, 0.08)}
"""Link to number, length m and radius m of its points."""
HOME = np.array([0, 0.45, 0, 2.0, 0, -1.6, 0.4])
CAMERAS_M = ((np.array([1.9, 0.0, 0.7]), np.array([0.25, 0, 0.5])), (np.array([0.3, 1.9, 0.9]), np.array([0.25, 0, 0.5])))
FOCAL_PX = 150.0
PLAN_STEPS, SETTLE_STEPS = 30, 10
SEEDS = (1, 7, 11, 12)
"""Motions and fields with which a fixed ridge fails (test_a_fixed_ridge...); with others it does no harm."""

Field = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From joints, places of the points and true Jacobian to the Jacobian that is believed."""


def points_of_links() -> list[tuple[int, np.ndarray]]:
    """Points on a tube around every link, in its own frame, m."""
    rng, made = np.random.default_rng(0), []
    for link, (count, length_m, radius_m) in POINTS.items():
        along, around = rng.uniform(0, length_m, count), rng.uniform(0, 2 * np.pi, count)
        made.append((link, np.stack([radius_m * np.cos(around), 0.6 * radius_m * np.sin(around), along], axis=1)))
    return made


LINK_POINTS = points_of_links()
LINK_OF_POINT = np.concatenate([np.full(len(points), link) for link, points in LINK_POINTS])


def turn(axis: np.ndarray, angle: float) -> np.ndarray:
    cross = np.cross(np.eye(3), axis)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def look(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the points are in both pictures, shape (2 P, 2), px, and how the joints move them, shape (2 P, 2, 7), px/rad."""
    rotation, origin, frames = np.eye(3), np.zeros(3), []
    for axis, offset, angle in zip(AXES, OFFSETS_M, q, strict=True):
        origin = origin + rotation[:, 2] * offset
        frames.append((rotation @ axis, origin))
        rotation = rotation @ turn(axis, angle)
        frames[-1] = (*frames[-1], rotation)
    world = np.concatenate([points @ frames[link][2].T + frames[link][1] for link, points in LINK_POINTS])
    moves = np.stack(
        [np.cross(axis, world - origin) * (joint <= LINK_OF_POINT)[:, None] for joint, (axis, origin, _) in enumerate(frames)], axis=-1
    )
    places, jacobians = [], []
    for position, target in CAMERAS_M:
        forward = (target - position) / np.linalg.norm(target - position)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        seen = (world - position) @ (view := np.stack([right, np.cross(forward, right), forward])).T
        depth = seen[:, 2:]
        pixel = (
            np.concatenate([np.tile(np.eye(2), (len(seen), 1, 1)), -(seen[:, :2] / depth)[:, :, None]], axis=2)
            * FOCAL_PX
            / depth[:, :, None]
        )
        places.append(FOCAL_PX * seen[:, :2] / depth)
        jacobians.append(pixel @ view @ moves)
    return np.concatenate(places), np.concatenate(jacobians)


def poor_field(seed: int) -> Field:
    """A field with errors that are motions of whole links: the kind that looks like a joint."""
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(link == LINK_OF_POINT) + view * len(LINK_OF_POINT) for link in POINTS for view in (0, 1)]
    pattern = rng.normal(size=(JOINTS, len(groups), 2, 3))
    phase, wave = rng.uniform(0, 6, size=(JOINTS, len(groups))), rng.normal(size=(JOINTS, len(groups), JOINTS)) * 0.7

    def field(q: np.ndarray, places: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
        energy = np.sqrt((jacobian**2).sum(axis=(0, 1)))
        weak = energy < 0.35 * energy.max()
        wrong = np.empty_like(jacobian)
        strength = 0.6 + 0.4 * np.sin(phase + wave @ q)
        for group, members in enumerate(groups):
            place = (places[members] - places[members].mean(axis=0)) / 10
            motion = pattern[:, group, :, 2, None] + 0.5 * pattern[:, group, :, :2] @ place.T  # joints, 2, members
            wrong[members] = (motion * strength[:, group, None, None]).transpose(2, 1, 0)
        wrong /= np.sqrt((wrong**2).sum(axis=(0, 1)))
        return np.asarray(jacobian * np.where(weak, 0.3, 0.9) + wrong * np.where(weak, np.median(energy[weak]), 0.15 * energy))

    return field


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Episode:
    """Errors at every step, the first before any motion."""

    joint_rad: np.ndarray
    picture_px: np.ndarray


def follow(seed: int, settings: SolveSettings, field: Field) -> Episode:
    """Follow a motion of 1 rad in a random direction: flow to the planned picture, joint step, motion, and again."""
    rng = np.random.default_rng(1000 + seed)
    motion = rng.normal(size=JOINTS)
    motion /= np.linalg.norm(motion)
    goal, q = HOME + motion, HOME.copy()
    wanted, _ = look(goal)
    joint_rad, picture_px = [], []
    for step in range(1, PLAN_STEPS + SETTLE_STEPS + 2):
        now, jacobian = look(q)
        joint_rad.append(float(np.linalg.norm(q - goal)))
        picture_px.append(float(np.sqrt(((wanted - now) ** 2).sum(axis=1).mean())))
        share = min(step / PLAN_STEPS, 1.0)
        planned, _ = look(HOME + motion * (10 * share**3 - 15 * share**4 + 6 * share**5))
        flow = planned - now
        flow = flow + rng.normal(size=flow.shape) * 0.15 * min(1.0, 2 * np.abs(flow).mean())
        rows = Rows(jacobian=field(q, now, jacobian), flow=flow, weights=np.ones(len(flow)))
        q = q + solve_rows(rows, settings=settings, lower=np.full(JOINTS, -0.15), upper=np.full(JOINTS, 0.15)).delta_q
    return Episode(joint_rad=np.array(joint_rad), picture_px=np.array(picture_px))


CAUTIOUS = SolveSettings(noise_full_px=0.2)
"""The damping of a field that is not trusted: it grows from the noise floor of flow on."""


def fixed(ridge: float) -> SolveSettings:
    """A ridge that does not grow with what is left unexplained."""
    return SolveSettings(ridge=ridge, noise_full_px=1e6)


def test_the_arm_of_this_test_moves_as_its_jacobian_says() -> None:
    rng = np.random.default_rng(5)
    q, step = HOME + rng.normal(size=JOINTS) * 0.3, rng.normal(size=JOINTS) * 1e-6
    np.testing.assert_allclose(look(q + step)[0] - look(q - step)[0], 2 * look(q)[1] @ step, atol=1e-9)


def test_a_true_field_brings_every_joint_home() -> None:
    for seed in SEEDS:
        assert follow(seed, SolveSettings(), lambda q, places, jacobian: jacobian).joint_rad[-1] < 0.01


@pytest.mark.parametrize('seed', SEEDS)
def test_joint_error_never_grows_while_the_picture_comes_near(seed: int) -> None:
    episode = follow(seed, CAUTIOUS, poor_field(seed))
    assert episode.joint_rad.max() < 1.005  # it starts at 1
    assert episode.picture_px[-1] < 0.5 * episode.picture_px[0]


def test_as_shipped_even_a_field_this_poor_rarely_pulls_joints_away() -> None:
    # These seeds are those at which a fixed ridge fails.
    ends = [follow(seed, SolveSettings(), poor_field(seed)).joint_rad[-1] for seed in SEEDS]
    assert sum(end > 1.005 for end in ends) <= 1


@pytest.mark.parametrize('ridge', [1.0, 100.0])
def test_a_fixed_ridge_lets_weak_joints_be_pulled_away(ridge: float) -> None:
    for seed in SEEDS:
        episode = follow(seed, fixed(ridge), poor_field(seed))
        assert episode.joint_rad[-1] > 1.3
        assert episode.picture_px[-1] < 0.95 * episode.picture_px[0]
