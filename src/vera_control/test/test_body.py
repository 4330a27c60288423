# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vera_control.body import Body
from vera_control.body_model import TABLE, BodyModel, body_model
from vera_core.embodiment import load_embodiment
from vera_core.errors import EmbodimentError
from vera_core.workspace import Tool, Workspace

PANDA = load_embodiment('panda')


@pytest.fixture(scope='module')
def model() -> BodyModel:
    return body_model(PANDA)


def test_the_tool_of_the_stretched_panda_is_where_the_link_lengths_say(model: BodyModel):
    data = Body(model).place(np.zeros(7))
    # All joints at zero: 0.333 + 0.316 + 0.384 up, then 0.107 and the tool's 0.1034 down again, 0.088 ahead.
    np.testing.assert_allclose(data.body('panda_hand_tcp').xpos, [0.088, 0.0, 0.333 + 0.316 + 0.384 - 0.107 - 0.1034], atol=1e-6)


@pytest.mark.parametrize('name', ['panda', 'fr3', 'allegro'])
def test_rates_and_speeds_are_those_of_small_steps(name: str):
    robot = load_embodiment(name)
    model = body_model(robot)
    body = Body(model)
    rng = np.random.default_rng(2)
    step_s = 1e-6
    for _ in range(20):
        position = rng.uniform(robot.limits('lower'), robot.limits('upper'))
        velocity = rng.normal(0.0, 0.5, len(position))
        body.place(position + step_s * velocity)
        later = dict(zip(*nearest(body), strict=True))
        body.place(position)
        before = dict(zip(*nearest(body), strict=True))
        gaps = body.gaps()
        body.move(velocity)
        rates = dict(zip(gaps.pair.tolist(), body.opening_rates(), strict=False))
        # Capsules touch at one point, and there the rate is the derivative of the distance. Boxes touch at several.
        for pair, rate in rates.items():
            if np.count_nonzero(gaps.pair == pair) == 1 and pair in later and name != 'allegro':
                assert abs((later[pair] - before[pair]) / step_s - rate) < 1e-3
        assert body.fastest_point([body.motion()])[0] == pytest.approx(fastest_by_steps(model, position, velocity), rel=1e-4)


def nearest(body: Body) -> tuple[list[int], list[float]]:
    gaps = body.gaps()
    pairs = sorted(set(gaps.pair.tolist()))
    return pairs, [float(gaps.distance[gaps.pair == pair].min()) for pair in pairs]


def fastest_by_steps(model: BodyModel, position: np.ndarray, velocity: np.ndarray, step_s: float = 1e-6) -> float:
    body = Body(model)

    def places(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        data = body.place(at)
        frames = data.xmat[model.point_bodies].reshape(-1, 3, 3)
        return data.xpos[model.point_bodies] + np.einsum('pij,pj->pi', frames, model.points), frames

    (start, frames), (end, turned) = places(position), places(position + step_s * velocity)
    turn = turned @ np.swapaxes(frames, 1, 2) / step_s
    omega = np.linalg.norm(np.stack([turn[:, 2, 1], turn[:, 0, 2], turn[:, 1, 0]]), axis=0)
    return float(np.max(np.linalg.norm(end - start, axis=1) / step_s + omega * model.radii))


def test_pairs_that_are_always_near_are_left_out_and_no_others(model: BodyModel):
    assert model.left_out == (('panda_link5', 'panda_link7'),)
    names, count = model.shape_names, model.compiled.ngeom
    body = Body(model)
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        body.place(rng.uniform(PANDA.limits('lower'), PANDA.limits('upper')))
        seen |= {frozenset((names[pair // count], names[pair % count])) for pair in body.gaps().pair}
    assert frozenset(('panda_link3', 'panda_link4')) not in seen
    assert frozenset(('panda_hand', 'panda_fingers')) not in seen
    assert {frozenset(('panda_link0', 'panda_hand')), frozenset(('panda_link2', 'panda_hand')), frozenset((TABLE, 'panda_fingers'))} <= seen


@pytest.mark.parametrize('name', ['panda', 'fr3', 'allegro'])
def test_named_poses_keep_their_margins(name: str):
    robot = load_embodiment(name)
    body = Body(body_model(robot))
    for pose in robot.poses.values():
        body.place(np.array(pose))
        gaps = body.gaps()
        assert np.all(gaps.distance > gaps.margin)


def test_sides_of_the_workspace_are_walls():
    workspace = Workspace(lower=(-0.3, -0.5, -0.1), upper=(0.7, 0.5, 1.2))
    model = body_model(replace(PANDA, workspace=workspace))
    body = Body(model)
    pose = PANDA.home.copy()
    pose[[1, 3]] = 0.3, -1.2  # the hand reaches beyond x = 0.7
    body.place(pose)
    gaps = body.gaps()
    inside = gaps.distance > gaps.margin
    first, second = np.divmod(gaps.pair[~inside], model.compiled.ngeom)
    walls = {name for index in (*first, *second) if 'side' in (name := model.shape_names[index])}
    assert walls == {'the side of the workspace at x = 0.7'}


def test_a_description_that_does_not_fit_is_refused_in_words(tmp_path: Path):
    other = tmp_path / 'other.urdf'
    other.write_text('<robot name="o"><link name="a"/></robot>', encoding='utf-8')
    with pytest.raises(EmbodimentError, match=r'other\.urdf has no joint panda_joint1, .*panda_joint7, which robot panda drives'):
        body_model(replace(PANDA, description=other))
    other.write_text('<robot', encoding='utf-8')
    with pytest.raises(EmbodimentError, match=r'other\.urdf cannot be used as the description of robot panda'):
        body_model(replace(PANDA, description=other))
    with pytest.raises(EmbodimentError, match="workspace.tool.link is 'hammer'"):
        body_model(replace(PANDA, workspace=Workspace(tool=Tool(link='hammer', offset=(0.0, 0.0, 0.1)))))
