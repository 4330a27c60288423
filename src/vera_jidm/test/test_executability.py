# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A textured block that one joint moves to the right and another one downwards, 20 px/rad each, over a table that stands still."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError, ShapeError
from vera_core.types import JacobianField, JointVelocity, VideoPlan
from vera_jidm.executability import Calibration, Moment, PlanCheck, PlanMeasures, StepWatch, Verdict, WatchSettings, load_calibration
from vera_jidm.executability.calibration import doubts_of, fit, save_calibration
from vera_jidm.executability.inspection import Inspection, Judged, best_first
from vera_jidm.executability.joint_path import JointPath
from vera_jidm.executability.measures import FEATURES, Worst, sentence

S = 1_000_000_000
VIEW, SIZE, EDGE, PX_PER_RAD = 'front', 128, 48, 20.0
ROBOT = load_embodiment('panda')
HOME = ROBOT.home


def texture(seed: int, size: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    grey = sum(cv2.GaussianBlur(rng.normal(size=(size, size)), (0, 0), sigma) * sigma for sigma in (1.5, 4.0, 10.0))
    return np.asarray(40 + 170 * (grey - grey.min()) / (grey.max() - grey.min()))


TABLE, BLOCK = texture(0, SIZE), texture(1, SIZE)
CORNER = np.array([30.0, 30.0])


def picture(right: float = 0.0, down: float = 0.0) -> np.ndarray:
    """The block moved by so many pixels."""
    matrix = np.array([[1.0, 0.0, right], [0.0, 1.0, down]])
    inside = np.zeros((SIZE, SIZE))
    inside[30 : 30 + EDGE, 30 : 30 + EDGE] = 1.0
    mask = cv2.warpAffine(inside, matrix, (SIZE, SIZE))
    moved = cv2.warpAffine(BLOCK, matrix, (SIZE, SIZE), flags=cv2.INTER_CUBIC)
    return np.repeat(np.clip(mask * moved + (1 - mask) * TABLE, 0, 255)[..., None], 3, axis=2).astype(np.uint8)


class BlockField:
    """Knows where the block is from the joints it is asked for; joint 0 moves it to the right, joint 1 down."""

    def predict(self, frames: Mapping[str, np.ndarray], position: np.ndarray) -> Mapping[str, JacobianField]:
        corner = CORNER + PX_PER_RAD * (position - HOME)[:2]
        middle = np.arange(SIZE // 4) * 4 + 1.5
        across, along = ((middle >= start) & (middle < start + EDGE) for start in corner)
        jacobian = np.zeros((SIZE // 4, SIZE // 4, 2, 7))
        jacobian[..., 0, 0] = jacobian[..., 1, 1] = PX_PER_RAD
        return {VIEW: JacobianField(view=VIEW, jacobian=jacobian, confidence=np.outer(along, across).astype(float), stride=4)}


def plan(frames: list[np.ndarray], **changes: object) -> VideoPlan:
    told = {'plan_id': 1, 'task_id': 4, 'prompt': 'x', 'stamp_ns': 0, 'step_dt_s': 0.3, 'frames': {VIEW: np.stack(frames)}}
    return VideoPlan(**{**told, **changes})  # type: ignore[arg-type]


def here(**changes: object) -> Moment:
    told = {'stamp_ns': 0, 'pictures': {VIEW: picture()}, 'position': HOME}
    return Moment(**{**told, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope='module')
def check() -> PlanCheck:
    return PlanCheck(ROBOT, BlockField(), load_calibration())


GOOD = [picture(right=1.5 * k, down=0.8 * k) for k in range(13)]


def test_a_motion_of_the_joints_is_found_and_accepted(check: PlanCheck) -> None:
    verdict = check.judge(plan(GOOD), here())
    measures = verdict.measures
    assert verdict.is_accepted and verdict.reason == '' and verdict.score > 0.9 and measures is not None
    assert measures.jump_px.value == pytest.approx(1.7, abs=0.4)
    assert measures.unexplained_ratio.value < 0.3 and measures.robot_share.value > 0.9
    # 1.5 px per 0.3 s at 20 px/rad are 0.25 rad/s.
    assert measures.speed_ratio.value == pytest.approx(0.25 / ROBOT.limits('velocity')[0], rel=0.3)


@pytest.mark.parametrize('age_s', [0.6, 1.5, 3.0])
def test_a_robot_that_waited_for_its_dream_is_asked_for_no_jump(check: PlanCheck, age_s: float) -> None:
    verdict, at_once = check.judge(plan(GOOD), here(stamp_ns=round(age_s * S))), check.judge(plan(GOOD), here())
    assert verdict.is_accepted and verdict.measures is not None and at_once.measures is not None
    assert verdict.measures.jump_px.value == pytest.approx(at_once.measures.jump_px.value, abs=0.4)
    assert verdict.measures.speed_ratio.value == pytest.approx(at_once.measures.speed_ratio.value, rel=0.3)


def test_a_robot_that_is_on_its_way_is_judged_from_where_it_is(check: PlanCheck) -> None:
    there = HOME + np.array([1.5 * 5, 0.8 * 5, 0, 0, 0, 0, 0]) / PX_PER_RAD
    on_its_way = here(stamp_ns=round(1.5 * S), pictures={VIEW: GOOD[5]}, position=there)
    measures = check.measure(plan([*GOOD[:3], *[picture(right=40)] * 2, *GOOD[5:]]), on_its_way)  # what lies behind it does not matter
    assert measures.jump_px.value < 2.5


def test_a_jump_is_named_with_its_frames(check: PlanCheck) -> None:
    frames = [*GOOD[:5], *(picture(right=1.5 * k + 30) for k in range(5, 13))]
    verdict = check.judge(plan(frames), here())
    assert not verdict.is_accepted and verdict.measures is not None
    assert {verdict.measures.jump_px.frame, verdict.measures.appeared_share.frame} == {5}
    assert 'between frame 4 and frame 5' in sentence('jump_px', verdict.measures.jump_px)


@pytest.mark.parametrize(
    ('frames', 'words'),
    [
        ([picture()] * 13, 'does not move'),
        ([picture(), *np.random.default_rng(0).integers(0, 255, (12, SIZE, SIZE, 3), dtype=np.uint8)], ''),
        ([*GOOD[:3], *[picture()[:, ::-1]] * 10], ''),
    ],
    ids=['frozen', 'noise', 'mirrored'],
)
def test_impossible_plans_are_refused_in_words(check: PlanCheck, frames: list[np.ndarray], words: str) -> None:
    verdict = check.judge(plan(frames), here())
    assert not verdict.is_accepted and verdict.score < 0.3
    assert verdict.reason and words in verdict.reason


def test_a_still_plan_may_mean_that_all_is_done(check: PlanCheck) -> None:
    assert check.judge(plan([picture()] * 13), here(may_rest=True)).is_accepted


def test_a_motion_past_a_joint_limit_is_refused_with_the_joint(check: PlanCheck) -> None:
    near = HOME.copy()
    near[0] = ROBOT.limits('upper')[0] - 0.2

    class Near(BlockField):
        def predict(self, frames: Mapping[str, np.ndarray], position: np.ndarray) -> Mapping[str, JacobianField]:
            return super().predict(frames, position - near + HOME)

    # 1.5 px a frame for 12 frames at 20 px/rad are 0.9 rad.
    verdict = PlanCheck(ROBOT, Near(), load_calibration()).judge(plan(GOOD), here(position=near))
    assert verdict.measures is not None and verdict.measures.overrun_rad.value == pytest.approx(0.7, abs=0.15)
    assert not verdict.is_accepted and 'panda_joint1 would have to go' in verdict.reason


def test_a_motion_no_joint_makes_is_not_explained(check: PlanCheck) -> None:
    class OnlyRight(BlockField):
        def predict(self, frames: Mapping[str, np.ndarray], position: np.ndarray) -> Mapping[str, JacobianField]:
            field = super().predict(frames, position)[VIEW]
            jacobian = field.jacobian.copy()
            jacobian[..., 1, :] = 0.0
            return {VIEW: JacobianField(view=VIEW, jacobian=jacobian, confidence=field.confidence, stride=4)}

    measures = PlanCheck(ROBOT, OnlyRight(), load_calibration()).measure(plan([picture(down=1.5 * k) for k in range(13)]), here())
    assert measures.unexplained_ratio.value > 0.9 and measures.unexplained_px.value > 1.0


def test_what_moves_beside_the_robot_is_not_held_against_the_plan(check: PlanCheck) -> None:
    frames = []
    for k, rgb in enumerate(GOOD):
        rgb = rgb.copy()
        rgb[100:112, 90 - 2 * k : 102 - 2 * k] = (200, 30, 30)  # a cube slides over the table
        frames.append(rgb)
    with_cube = check.measure(plan(frames), here(pictures={VIEW: frames[0]}))
    assert with_cube.unexplained_ratio.value == pytest.approx(check.measure(plan(GOOD), here()).unexplained_ratio.value, abs=0.05)


def test_frames_that_are_past_are_not_looked_at(check: PlanCheck) -> None:
    late = here(
        stamp_ns=round(1.6 * S), pictures={VIEW: picture(1.5 * 5.33, 0.8 * 5.33)}, position=HOME + np.eye(7)[0] * 0.4 + np.eye(7)[1] * 0.21
    )
    frames = [picture(), *[picture(-20, 30)] * 5, *GOOD[6:]]
    assert check.judge(plan(frames), late).is_accepted
    assert not check.judge(plan(frames), here()).is_accepted


def test_pictures_of_another_size_or_view_are_refused(check: PlanCheck) -> None:
    with pytest.raises(ShapeError, match='128x128 px but pictures are 64x64 px'):
        check.judge(plan(GOOD), here(pictures={VIEW: picture()[::2, ::2]}))
    with pytest.raises(ShapeError, match='view front but there is no picture'):
        check.judge(plan(GOOD), here(pictures={}))


# From measures to a score.


def figures(**changes: float) -> dict[str, float]:
    good = {'jump_px': 2.0, 'appeared_share': 0.01, 'flicker_levels': 0.0, 'unexplained_ratio': 0.3, 'unexplained_px': 0.5}
    return good | {'overrun_rad': -0.5, 'speed_ratio': 0.2, 'robot_share': 1.0, 'motion_px': 20.0} | changes


def measures_of(values: Mapping[str, float]) -> PlanMeasures:
    return PlanMeasures(**{name: Worst(value=value, frame=3, detail='panda_joint4') for name, value in values.items()})


def test_no_measure_speaks_for_a_plan() -> None:
    zero = doubts_of(figures(overrun_rad=-1.0, jump_px=0.0, motion_px=1e3, robot_share=9.0))
    assert all(doubt >= 0 for doubt in zero.values()) and zero['motion_px'] < 1e-9 and zero['overrun_rad'] == 0


@pytest.mark.parametrize('name', list(FEATURES))
def test_the_loudest_measure_is_the_reason(name: str) -> None:
    weights, usual = dict.fromkeys(FEATURES, 1e-6) | {name: 30.0}, dict.fromkeys(FEATURES, 0.0)
    calibration = Calibration(weights=weights, usual=usual, offset=5.0, least_score=0.5)
    worst = {'jump_px': 40.0, 'appeared_share': 0.5, 'flicker_levels': 30.0, 'unexplained_ratio': 0.9, 'unexplained_px': 6.0}
    worst |= {'overrun_rad': 0.6, 'speed_ratio': 3.0, 'robot_share': 0.0, 'motion_px': 0.0}
    score, reason = calibration.judge(measures_of(figures(**{name: worst[name]})))
    assert score < 0.5 and reason == sentence(name, Worst(value=worst[name], frame=3, detail='panda_joint4'))
    assert '{' not in reason


def test_what_is_usual_is_not_the_reason() -> None:
    weights, usual = dict.fromkeys(FEATURES, 1.0), dict.fromkeys(FEATURES, 0.0)
    weights['unexplained_ratio'] = 5.0
    values = figures(unexplained_ratio=0.4, jump_px=14.0)
    loud = Calibration(weights=weights, usual=usual, offset=1.0, least_score=0.5).judge(measures_of(values))[1]
    usual['unexplained_ratio'] = doubts_of(figures(unexplained_ratio=0.38))['unexplained_ratio']
    assert 'explains only 60%' in loud
    assert (
        'jump 14 px between frame 2 and frame 3'
        in Calibration(weights=weights, usual=usual, offset=1.0, least_score=0.5).judge(measures_of(values))[1]
    )


def test_fit_tells_apart_what_can_be_told_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    good = [figures(unexplained_ratio=float(rng.normal(0.3, 0.05))) for _ in range(50)]
    spoiled = [figures(unexplained_ratio=float(rng.normal(0.8, 0.05)), jump_px=float(rng.uniform(1, 3))) for _ in range(50)]
    calibration = fit([doubts_of(values) for values in good], [doubts_of(values) for values in spoiled], refused_share=0.02)
    refused = [calibration.judge(measures_of(values))[0] < calibration.least_score for values in spoiled]
    kept = [calibration.judge(measures_of(values))[0] >= calibration.least_score for values in good]
    assert all(refused) and sum(kept) >= 49
    assert calibration.weights['unexplained_ratio'] > 0 and calibration.weights['flicker_levels'] == pytest.approx(0.0, abs=1e-9)
    save_calibration(calibration, tmp_path / 'c.json', made_with='a test')
    assert load_calibration(tmp_path / 'c.json').weights == pytest.approx(calibration.weights, abs=1e-4)


@pytest.mark.parametrize('damage', ['{', '{}', '[]', 'weights', 'nan', 'negative'])
def test_a_calibration_that_cannot_be_used_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / 'calibration.json'
    page = {'weights': dict.fromkeys(FEATURES, 1.0), 'usual': dict.fromkeys(FEATURES, 0.1), 'offset': 1.0, 'least_score': 0.5}
    if damage == 'weights':
        page['weights'] = {'jump_px': 1.0}
    elif damage == 'nan':
        page['offset'] = float('nan')
    elif damage == 'negative':
        page['weights'] = dict.fromkeys(FEATURES, -1.0)
    path.write_text(damage if damage[0] in '{[' else json.dumps(page))
    with pytest.raises(ConfigError, match='calibration.*--fit'):
        load_calibration(path)


# Several plans for one choice, and plans on their way.


def judged(plan_id: int, score: float, *, accepted: bool = True) -> Judged:
    verdict = Verdict(is_accepted=accepted, score=score, reason='' if accepted else 'no', measures=None)
    return Judged(plan_id=plan_id, task_id=4, stamp_ns=0, verdict=verdict)


def test_the_best_of_several_is_accepted_and_said_first() -> None:
    first, *others = best_first([judged(1, 0.7), judged(2, 0.9), judged(3, 0.2, accepted=False)])
    assert (first.plan_id, first.verdict.is_accepted) == (2, True)
    assert [entry.verdict.is_accepted for entry in others] == [False, False]
    assert 'plan 2 is better' in others[0].verdict.reason and others[1].verdict.reason == 'no'
    assert not any(entry.verdict.is_accepted for entry in best_first([judged(1, 0.4, accepted=False), judged(2, 0.1, accepted=False)]))


def test_candidates_are_judged_once_the_last_has_come(check: PlanCheck) -> None:
    inspection = Inspection(check)
    stuck = [picture()] * 13
    assert inspection.look(plan(stuck, plan_id=1, candidate=0, candidates=3), here()) == []
    # The second was lost on its way.
    known = inspection.look(plan(GOOD, plan_id=3, candidate=2, candidates=3), here())
    assert [(entry.plan_id, entry.verdict.is_accepted) for entry in known] == [(3, True), (1, False)]
    assert [entry.plan_id for entry in inspection.look(plan(GOOD, plan_id=4), here())] == [4]


def estimate(now_s: float, ratio: float, *, plan_id: int = 1, residual_px: float = 3.0) -> JointVelocity:
    zeros = np.zeros(7)
    told = {'plan_id': plan_id, 'task_id': 4, 'step': 2, 'dt_s': 0.3, 'delta_q': zeros, 'std': zeros, 'observability': zeros}
    return JointVelocity(
        stamp_ns=round(now_s * S), residual_ratio=ratio, residual_px=residual_px, condition=1.0, remaining_px=9.0, at_plan_end=False, **told
    )


def test_a_plan_on_its_way_is_dropped_after_a_while_and_said_once() -> None:
    watch = StepWatch(WatchSettings(residual_ratio=0.8, memory_s=1.0))
    times = np.arange(0.0, 1.9, 0.1)
    said = [watch.look(estimate(now, 0.97)) for now in times]
    assert [now for now, text in zip(times, said, strict=True) if text] == [pytest.approx(1.0)]
    assert 'only 3% of the motion that frame 2 asks for' in next(text for text in said if text)


def test_a_moment_of_doubt_small_motions_and_a_new_plan_drop_nothing() -> None:
    watch = StepWatch(WatchSettings(residual_ratio=0.8, memory_s=1.0))
    assert not any(watch.look(estimate(0.1 * k, 0.99 if 10 <= k < 14 else 0.4)) for k in range(30))
    assert not any(watch.look(estimate(4 + 0.1 * k, 1.0, residual_px=0.4)) for k in range(30))
    assert not any(watch.look(estimate(8 + 0.1 * k, 0.99, plan_id=2 + k // 8)) for k in range(40))


def test_a_joint_that_shows_little_counts_less_past_its_limit() -> None:
    robot = load_embodiment('panda_gripper')
    position = robot.home.copy()
    position[-1] = 1.06
    assert JointPath(robot, position).overrun() == (
        pytest.approx(0.06 * 0.02 / 0.09),
        7,
    )  # its expected_step is 0.09 rad, the usual one 0.02
    position[0] = robot.limits('upper')[0] + 0.05
    assert JointPath(robot, position).overrun() == (pytest.approx(0.05), 0)
