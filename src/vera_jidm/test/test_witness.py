# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A textured plane that joint 0 moves to the right and joint 1 down: what a witness says when joints or pictures are not what they seem."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vera_core.types import Frame, JacobianField, MotionEvidence, RobotState
from vera_jidm.flow.dis import FINE_ONE_WAY, DisFlow
from vera_jidm.witness import MotionWitness

PX_PER_RAD = 60.0
STEP_NS = 100_000_000
TEXTURE = cv2.GaussianBlur(np.random.default_rng(4).integers(0, 255, (400, 400, 3)).astype(np.uint8), (0, 0), 2)


def picture(position: np.ndarray, *, mirrored: bool = False) -> np.ndarray:
    shift = np.float32([[1, 0, PX_PER_RAD * position[0] - 100], [0, 1, PX_PER_RAD * position[1] - 100]])
    rgb = cv2.warpAffine(TEXTURE, shift, (128, 128))
    return np.ascontiguousarray(rgb[:, ::-1]) if mirrored else rgb


def field(sign: tuple[float, float] = (1.0, 1.0)) -> JacobianField:
    jacobian = np.zeros((32, 32, 2, 3))
    jacobian[..., 0, 0], jacobian[..., 1, 1] = PX_PER_RAD * sign[0], PX_PER_RAD * sign[1]
    return JacobianField(view='front', jacobian=jacobian, confidence=np.ones((32, 32)), stride=4)


class Arm:
    """Moves step by step before a witness."""

    def __init__(self, *, mirrored: bool = False, sign: tuple[float, float] = (1.0, 1.0)) -> None:
        self.witness = MotionWitness(3, DisFlow(FINE_ONE_WAY))
        self.position, self.stamp_ns = np.zeros(3), 0
        self.mirrored, self.field = mirrored, field(sign)

    def move(self, step: tuple[float, float, float], times: int = 1, *, task_id: int = 1, frozen: bool = False) -> MotionEvidence:
        shown = picture(self.position, mirrored=self.mirrored)
        for _ in range(times):
            self.position = self.position + step
            self.stamp_ns += STEP_NS
            rgb = shown if frozen else picture(self.position, mirrored=self.mirrored)
            frames = {'front': Frame(view='front', stamp_ns=self.stamp_ns, rgb=rgb.copy())}
            state = RobotState(stamp_ns=self.stamp_ns, position=self.position, velocity=np.zeros(3))
            evidence = self.witness.look(frames, {'front': self.field}, state, task_id=task_id)
        return evidence


def test_motion_that_is_as_reported_has_gains_of_one():
    evidence = Arm().move((0.02, -0.015, 0.05), 6)
    np.testing.assert_allclose(evidence.gain, 1.0, atol=0.1)
    assert evidence.agreement > 0.95
    assert evidence.gain_std[0] < 0.1
    assert evidence.gain_std[2] == pytest.approx(1.0)  # no picture shows joint 2, so nothing was learned of it


def test_a_reversed_joint_has_a_negative_gain_and_the_others_keep_theirs():
    evidence = Arm(sign=(1.0, -1.0)).move((0.02, -0.02, 0.0), 6)
    assert evidence.gain[1] < -0.8
    assert evidence.gain[0] == pytest.approx(1.0, abs=0.15)


def test_mirrored_pictures_do_not_agree():
    assert Arm(mirrored=True).move((0.02, 0.004, 0.0), 6).agreement < -0.5


def test_before_any_motion_there_is_no_doubt():
    evidence = Arm().move((0.0, 0.0, 0.0), 4)
    np.testing.assert_array_equal(evidence.gain, 1.0)
    np.testing.assert_allclose(evidence.gain_std, 1.0)
    assert (evidence.agreement, evidence.expected_px2) == (1.0, 0.0)


def test_another_task_begins_without_evidence():
    arm = Arm(sign=(-1.0, 1.0))
    assert arm.move((0.02, 0.0, 0.0), 4).gain[0] < 0.0
    assert arm.move((0.02, 0.0, 0.0), task_id=2).gain[0] == 1.0


def test_a_picture_that_stays_while_the_arm_moves_is_frozen_and_one_of_a_resting_arm_is_not():
    arm = Arm()
    assert arm.move((0.0, 0.0, 0.0), 5).frozen_views == ()
    arm.move((0.02, 0.0, 0.0), 2)
    assert arm.move((0.01, 0.0, 0.0), 4, frozen=True).frozen_views == ()  # 2.4 px of 3 at most
    assert arm.move((0.01, 0.0, 0.0), 6, frozen=True).frozen_views == ('front',)
    assert arm.move((0.01, 0.0, 0.0), 1).frozen_views == ()


def test_a_clock_set_back_drops_the_pictures_before_it():
    arm = Arm()
    arm.move((0.02, 0.0, 0.0), 3)
    arm.stamp_ns -= 2_000_000_000
    before = arm.move((0.2, 0.0, 0.0))
    after = arm.move((0.02, 0.0, 0.0), 2)
    assert after.expected_px2 > before.expected_px2
    assert after.gain[0] == pytest.approx(1.0, abs=0.15)


def test_an_arm_that_was_put_elsewhere_has_not_moved():
    arm = Arm()
    before = arm.move((0.02, 0.01, 0.0), times=8)
    arm.position = arm.position + np.array([-0.4, 0.3, 0.0])  # a scene was reset; the pictures stay as they were
    shown = picture(np.zeros(3))
    frames = {'front': Frame(view='front', stamp_ns=arm.stamp_ns + STEP_NS, rgb=shown)}
    state = RobotState(stamp_ns=arm.stamp_ns + STEP_NS, position=arm.position, velocity=np.zeros(3))
    after = arm.witness.look(frames, {'front': arm.field}, state, task_id=1)
    assert after.expected_px2 == before.expected_px2
    np.testing.assert_array_equal(after.gain, before.gain)
