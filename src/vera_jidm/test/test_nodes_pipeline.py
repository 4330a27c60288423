# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The pipeline and the small parts nodes are wired from."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError, Refusal, ShapeError
from vera_core.types import FlowField, Frame, JacobianField, RobotState
from vera_jidm.buffers import NewestSet, StampedBuffer
from vera_jidm.pipeline import Inversion, PipelineSettings, invert_flow, step_bounds
from vera_jidm.solve import SolveSettings
from vera_jidm.worker import Worker

ROBOT = load_embodiment('panda')
MS = 1_000_000
NOW_NS = 5_000 * MS


class Uniform:
    """Joint 0 moves every pixel 20 px/rad to the right, joint 1 moves it 20 px/rad down; no picture shows the others."""

    def predict(self, frames: Mapping[str, np.ndarray], position: np.ndarray) -> Mapping[str, JacobianField]:
        jacobian = np.zeros((32, 32, 2, 7))
        jacobian[..., 0, 0] = jacobian[..., 1, 1] = 20.0
        return {view: JacobianField(view=view, jacobian=jacobian, confidence=np.ones((32, 32)), stride=4) for view in frames}


def wanted(u: float, v: float, **changes: object) -> FlowField:
    values: dict[str, object] = {
        'stamp_ns': NOW_NS,
        'plan_id': 3,
        'task_id': 2,
        'step': 5,
        'dt_s': 0.5,
        'flow': {view: np.broadcast_to([u, v], (128, 128, 2)) for view in ROBOT.view_names},
        'confidence': {view: np.ones((128, 128)) for view in ROBOT.view_names},
        'remaining_px': 9.0,
        'at_plan_end': True,
    }
    return FlowField(**{**values, **changes})  # type: ignore[arg-type]


def frames() -> dict[str, Frame]:
    return {view: Frame(view=view, stamp_ns=NOW_NS, rgb=np.zeros((128, 128, 3), np.uint8)) for view in ROBOT.view_names}


def state(position: np.ndarray | None = None, stamp_ns: int = NOW_NS) -> RobotState:
    return RobotState(stamp_ns=stamp_ns, position=ROBOT.home if position is None else position, velocity=np.zeros(7))


def invert(flow: FlowField, **changes: object) -> Inversion | Refusal:
    values: dict[str, object] = {'frames': frames(), 'state': state(), 'model': Uniform(), 'robot': ROBOT, 'settings': PipelineSettings()}
    return invert_flow(flow, **{**values, **changes})  # type: ignore[arg-type]


def test_pipeline_turns_flow_into_the_joint_motion_that_makes_it() -> None:
    answer = invert(wanted(2.0, -1.0))
    assert isinstance(answer, Inversion)
    # 2 px / 20 px/rad = 0.1 rad; 2048 cells x 400 px²/rad² dwarf the ridge of 100.
    np.testing.assert_allclose(answer.velocity.delta_q, [0.1, -0.05, 0, 0, 0, 0, 0], atol=1e-4)
    np.testing.assert_allclose(answer.velocity.velocity, answer.velocity.delta_q / 0.5)
    np.testing.assert_allclose(answer.velocity.observability, [1, 1, 0, 0, 0, 0, 0], atol=1e-3)
    assert (answer.velocity.plan_id, answer.velocity.task_id, answer.velocity.step, answer.velocity.stamp_ns) == (3, 2, 5, NOW_NS)
    assert (answer.velocity.remaining_px, answer.velocity.at_plan_end) == (9.0, True)
    assert sorted(answer.fields) == sorted(ROBOT.view_names)


def test_pipeline_keeps_joints_inside_their_limits() -> None:
    position = ROBOT.home.copy()
    position[0] = ROBOT.limits('upper')[0] - 0.05
    answer = invert(wanted(2.0, 0.0), state=state(position))
    assert isinstance(answer, Inversion)
    assert answer.velocity.delta_q[0] == pytest.approx(0.03)  # 0.05 rad away, 0.02 rad margin


def test_step_bounds_by_hand() -> None:
    position = ROBOT.home.copy()
    position[1] = ROBOT.limits('upper')[1] + 0.01  # outside: may only come back
    lower, upper = step_bounds(position, 0.1, ROBOT, PipelineSettings())
    # 2.175 rad/s x 0.35 x 0.1 s = 0.0761 rad, less than the 0.15 rad of trust.
    assert upper[0] == pytest.approx(2.175 * 0.35 * 0.1)
    assert (lower[1], upper[1]) == (pytest.approx(-2.175 * 0.35 * 0.1), 0.0)
    assert step_bounds(ROBOT.home, 1.0, ROBOT, PipelineSettings())[1][0] == pytest.approx(0.15)
    # A gripper of which steps of 0.09 rad are expected in place of 0.2 px / sqrt(100 px²/rad²) = 0.02 rad may go 4.5 times as far, at its speed limit.
    gripper = load_embodiment('panda_gripper')
    middle, speed = np.append(gripper.home[:7], 0.5), gripper.limits('velocity')[7]
    assert step_bounds(middle, 0.6, gripper, PipelineSettings())[0][7] == pytest.approx(-0.6 * speed)
    assert step_bounds(middle, 0.6, gripper, PipelineSettings(max_step_rad=0.02))[0][7] == pytest.approx(-0.09)


def test_pipeline_refuses_joints_of_another_time() -> None:
    answer = invert(wanted(2.0, 0.0), state=state(stamp_ns=NOW_NS - 300 * MS))
    assert isinstance(answer, Refusal)
    assert '0.30 s from the pictures (limit 0.1 s)' in answer.text


def test_pipeline_refuses_a_missing_picture() -> None:
    answer = invert(wanted(2.0, 0.0), frames={'front': frames()['front']})
    assert isinstance(answer, Refusal)
    assert 'no picture of view side' in answer.text


def test_pipeline_refuses_a_field_of_another_grid() -> None:
    class Coarse(Uniform):
        def predict(self, frames: Mapping[str, np.ndarray], position: np.ndarray) -> Mapping[str, JacobianField]:
            jacobian = np.zeros((16, 16, 2, 7))
            return {view: JacobianField(view=view, jacobian=jacobian, confidence=np.ones((16, 16)), stride=4) for view in frames}

    with pytest.raises(ShapeError, match='jacobian of front has shape'):
        invert(wanted(2.0, 0.0), model=Coarse())


@pytest.mark.parametrize('changes', [{'max_step_rad': 0.0}, {'limit_margin_rad': -0.1}, {'max_state_gap_s': float('nan')}])
def test_pipeline_settings_out_of_range_are_refused_by_name(changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f'{next(iter(changes))} is'):
        PipelineSettings(**changes)  # type: ignore[arg-type]


def test_parameters_fill_the_settings_they_are_named_after() -> None:
    from vera_jidm.following import FollowSettings
    from vera_jidm.params import FlowParams, JidmParams

    assert FlowParams().follow_settings() == FollowSettings()
    assert FlowParams(lookahead_s=0.5).follow_settings().lookahead_s == 0.5
    assert JidmParams().pipeline_settings() == PipelineSettings()
    assert JidmParams(ridge=7.0, max_step_rad=0.2).pipeline_settings() == PipelineSettings(solve=SolveSettings(ridge=7.0), max_step_rad=0.2)


def test_stamped_buffer_finds_the_nearest_and_forgets_the_old() -> None:
    buffer: StampedBuffer[str] = StampedBuffer(1.0, longest=100)
    assert buffer.nearest(0) is None
    for tenth in range(30):
        buffer.put(tenth * 100 * MS, f'{tenth}')
    assert buffer.nearest(2_340 * MS) == (2_300 * MS, '23')
    assert buffer.nearest(0) == (1_900 * MS, '19')


def test_stamped_buffer_starts_again_when_time_is_set_back() -> None:
    buffer: StampedBuffer[str] = StampedBuffer(1.0, longest=100)
    buffer.put(60_000 * MS, 'before the reset')
    buffer.put(1_000 * MS, 'after')
    assert buffer.nearest(60_000 * MS) == (1_000 * MS, 'after')


def test_stamped_buffer_never_grows_past_its_bound() -> None:
    buffer: StampedBuffer[int] = StampedBuffer(1.0, longest=5)
    for _ in range(100):
        buffer.put(7, 7)
    buffer.put(8, 8)
    assert len(buffer._items) == 5


def test_newest_set_waits_for_every_view_and_gives_nothing_twice() -> None:
    newest: NewestSet[int] = NewestSet(('front', 'side'))
    newest.put('front', 1)
    newest.put('front', 2)
    assert newest.take() is None
    assert newest.missing == ('side',)
    newest.put('side', 3)
    assert newest.take() == {'front': 2, 'side': 3}
    assert newest.take() is None
    newest.put('front', 4)
    newest.clear()
    newest.put('side', 5)
    assert newest.take() is None


def test_worker_survives_a_fault_and_reports_it() -> None:
    faults: list[Exception] = []
    worked, reported = threading.Event(), threading.Event()
    fail = [True]

    def work() -> None:
        if fail.pop() if fail else False:
            raise RuntimeError('once')
        worked.set()

    def on_fault(error: Exception) -> None:
        faults.append(error)
        reported.set()

    worker = Worker(work, on_fault, idle=lambda: None, idle_s=60.0)
    worker.wake()
    assert reported.wait(5.0)
    worker.wake()
    assert worked.wait(5.0)
    worker.close()
    assert [str(error) for error in faults] == ['once']


def test_worker_calls_idle_when_nothing_comes() -> None:
    idled = threading.Event()
    worker = Worker(lambda: None, lambda error: None, idle=idled.set, idle_s=0.01)
    assert idled.wait(5.0)
    worker.close()
