# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Following a plan: the clock, the aim, waiting, converging, handing over."""

from __future__ import annotations

import numpy as np
import pytest

from vera_core.errors import ConfigError, Refusal
from vera_core.types import FlowField, Frame, VideoPlan
from vera_jidm.following.follower import FollowSettings, PlanFollower
from vera_jidm.following.motion import entry_s, lost_share, motion_to_end, moving_px
from vera_jidm.following.plan_clock import PlanClock

S = 1_000_000_000
START_NS = 100 * S


class Ruler:
    """A flow estimator for pictures whose first pixel says where the world is: flow is the difference, everywhere, to the right."""

    def __init__(self) -> None:
        self.calls = 0

    def estimate(self, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.calls += 1
        flow = np.zeros((*source.shape[:2], 2), np.float32)
        flow[..., 0] = float(target[0, 0, 0]) - float(source[0, 0, 0])
        return flow, np.ones(source.shape[:2], np.float32)


def picture(where_px: float) -> np.ndarray:
    return np.full((32, 32, 3), round(where_px), np.uint8)


def plan(path: list[float], *, plan_id: int = 1, stamp_ns: int = START_NS, views: tuple[str, ...] = ('front', 'side')) -> VideoPlan:
    frames = np.stack([picture(where) for where in path])
    return VideoPlan(plan_id=plan_id, task_id=7, prompt='go', stamp_ns=stamp_ns, step_dt_s=0.3, frames=dict.fromkeys(views, frames))


def frames_at(time_s: float, where_px: float, *, apart_s: float = 0.0) -> dict[str, Frame]:
    stamp_ns = START_NS + round(time_s * S)
    return {
        'front': Frame(view='front', stamp_ns=stamp_ns, rgb=picture(where_px)),
        'side': Frame(view='side', stamp_ns=stamp_ns + round(apart_s * S), rgb=picture(where_px)),
    }


def follower(**settings: float) -> PlanFollower:
    return PlanFollower(Ruler(), Ruler(), FollowSettings(**settings))


def ok(answer: FlowField | Refusal) -> FlowField:
    assert isinstance(answer, FlowField), answer
    return answer


STEADY = [2.0 * i for i in range(21)]
"""2 px per frame, 40 px in 6 s."""


def test_no_plan_is_refused_in_words() -> None:
    answer = follower().step(frames_at(0, 0))
    assert isinstance(answer, Refusal)
    assert answer.code == 'no_plan'
    assert 'no plan has arrived' in answer.text


def test_first_step_aims_at_the_first_frame_past_the_lookahead() -> None:
    following = follower()
    following.set_plan(plan(STEADY))
    answer = ok(following.step(frames_at(0.1, 0)))
    # Time on the plan 0.1 s; 0.1 + 0.35 = 0.45 s, so frame 2, due at 0.6 s, in 0.5 s, at 4 px.
    assert answer.step == 2
    assert answer.dt_s == pytest.approx(0.5)
    np.testing.assert_allclose(answer.flow['side'][..., 0], 4.0)
    assert (answer.plan_id, answer.task_id, answer.stamp_ns, answer.at_plan_end) == (1, 7, START_NS + S // 10, False)
    # 4 px to frame 2, then 18 frames of 2 px.
    assert answer.remaining_px == pytest.approx(40.0)


def test_time_on_the_plan_runs_with_the_stamps_of_an_arm_that_follows() -> None:
    following = follower()
    following.set_plan(plan(STEADY))
    steps = [ok(following.step(frames_at(t, t / 0.3 * 2))).step for t in np.arange(0, 3.0, 0.1)]
    assert steps[0] == 2
    assert steps[-1] == 11  # 2.9 + 0.35 = 3.25 s: frame 11, due at 3.3 s
    assert steps == sorted(steps)


def test_time_on_the_plan_waits_for_an_arm_that_lags() -> None:
    following = follower()
    following.set_plan(plan([4.0 * i for i in range(21)]))
    # The arm never moves. 4 px per 0.3 s: frame 3 is 12 px away, where the clock stops.
    answers = [ok(following.step(frames_at(t, 0))) for t in np.arange(0, 10.0, 0.1)]
    assert max(answer.step for answer in answers) <= 3
    assert np.abs(answers[-1].flow['front']).max() <= 12.0


def test_rate_by_hand() -> None:
    settings = FollowSettings(full_rate_px=6.0, zero_rate_px=12.0)
    assert [settings.rate(flow) for flow in (0.0, 6.0, 9.0, 12.0, 30.0)] == [1.0, 1.0, 0.5, 0.0, 0.0]


def test_dt_is_never_shorter_than_its_bound() -> None:
    following = follower(lookahead_s=0.0, shortest_dt_s=0.25)
    following.set_plan(plan(STEADY))
    assert ok(following.step(frames_at(0.29, 2))).dt_s == pytest.approx(0.25)


def test_converges_on_the_last_frame_when_little_is_missing() -> None:
    following = follower(converge_px=4.0, converge_dt_s=0.5, converge_longest_dt_s=1.0)
    # Motion ends at frame 10; the plan stands still for 3 s more.
    stops = plan([2.0 * min(i, 10) for i in range(21)])
    following.set_plan(stops)
    assert not ok(following.step(frames_at(1.0, 7))).at_plan_end
    following.set_plan(stops)
    near = ok(following.step(frames_at(2.7, 17)))
    assert near.at_plan_end
    assert near.step == 20
    assert near.remaining_px == pytest.approx(3.0)
    assert near.dt_s == pytest.approx(1.0)  # not the 3.3 s that the still end would take


def test_a_plan_that_goes_and_comes_back_is_not_cut_short() -> None:
    # Down by 4 px, a rest, and up again by 3: the last frame looks as near as it is on the way down. Once at rest, once still on its way up.
    down, up = [1.0 * min(i, 4) for i in range(12)], [4.0, 3.4, 2.8, 2.2, 1.6, 1.0]
    for places, watched_s in (([*down, *up, *[1.0] * 3], 0.8), ([*down, *[4.0] * 4, *up[:-1]], 3.4)):
        following = follower(converge_px=3.5)
        following.set_plan(plan(places))
        answers = [ok(following.step(frames_at(t, places[round(t / 0.3)]))) for t in np.arange(0.0, watched_s, 0.1)]
        assert not any(answer.at_plan_end for answer in answers)
        assert [answer.step for answer in answers] == sorted(answer.step for answer in answers)


def test_after_its_end_the_last_frame_is_kept_until_the_plan_is_over() -> None:
    following = follower(linger_s=10.0, converge_dt_s=0.5, converge_longest_dt_s=1.0)
    following.set_plan(plan(STEADY))
    for t in np.arange(0, 8.0, 0.1):
        answer = ok(following.step(frames_at(t, min(t, 6) / 0.3 * 2)))
    assert answer.at_plan_end
    assert answer.dt_s == pytest.approx(0.5)
    assert answer.remaining_px == 0.0
    late = following.step(frames_at(16.5, 40))
    assert isinstance(late, Refusal)
    assert late.code == 'plan_over'
    assert 'plan 1 ended 10.5 s ago' in late.text


def test_a_new_plan_takes_over_at_the_time_its_pictures_were_taken() -> None:
    following = follower()
    following.set_plan(plan(STEADY))
    for t in np.arange(0, 2.0, 0.1):
        following.step(frames_at(t, t / 0.3 * 2))
    # Dreamt from the picture at 1.0 s, here at 2.0 s: 1.0 s of it has passed, so frame 5, due at 1.5 s.
    following.set_plan(plan([2.0 * i for i in range(21)], plan_id=2, stamp_ns=START_NS + S))
    answer = ok(following.step(frames_at(2.0, 7)))
    assert (answer.plan_id, answer.step, following.plan_id) == (2, 5, 2)
    assert answer.dt_s == pytest.approx(0.5)


def test_a_plan_that_does_not_fit_leaves_the_present_one_in_force() -> None:
    following = follower()
    following.set_plan(plan(STEADY))
    ok(following.step(frames_at(0.0, 0)))
    wrong = VideoPlan(
        plan_id=2, task_id=7, prompt='go', stamp_ns=START_NS, step_dt_s=0.3, frames={'front': np.zeros((5, 64, 64, 3), np.uint8)}
    )
    following.set_plan(wrong)
    refused = following.step(frames_at(0.1, 0))
    assert isinstance(refused, Refusal)
    assert 'plan 2 shows view front at 64x64 px but pictures are 32x32 px' in refused.text
    assert ok(following.step(frames_at(0.2, 0))).plan_id == 1


def test_a_view_without_picture_is_named() -> None:
    following = follower()
    following.set_plan(plan(STEADY, views=('front', 'wrist')))
    refused = following.step(frames_at(0.1, 0))
    assert isinstance(refused, Refusal)
    assert 'shows view wrist but there is no picture of it' in refused.text


def test_pictures_taken_far_apart_are_refused_and_the_oldest_is_now() -> None:
    following = follower()
    following.set_plan(plan(STEADY))
    refused = following.step(frames_at(0.1, 0, apart_s=0.3))
    assert isinstance(refused, Refusal)
    assert '0.30 s apart (limit 0.15 s)' in refused.text
    assert ok(following.step(frames_at(0.5, 0, apart_s=-0.1))).stamp_ns == START_NS + round(0.4 * S)


def test_a_clock_that_jumps_back_or_far_ahead_does_not_carry_the_plan_away() -> None:
    following = follower()
    following.set_plan(plan(STEADY))
    ok(following.step(frames_at(1.0, 6)))
    assert ok(following.step(frames_at(0.2, 6))).step == 5  # still 1.0 s: 1.35 s, frame 5
    assert ok(following.step(frames_at(3.2, 6))).step == 7  # 0.5 s of the 3 s are believed: 1.85 s, frame 7


def test_a_plan_from_the_future_starts_at_its_beginning() -> None:
    assert PlanClock(plan(STEADY, stamp_ns=START_NS + S), START_NS).tau_s == 0.0


def test_frame_due_exactly_at_the_lookahead_is_the_aim() -> None:
    clock = PlanClock(plan(STEADY), START_NS)
    assert clock.aim(0.3, 0.25).step == 1
    assert clock.aim(0.31, 0.25).step == 2
    assert clock.aim(99.0, 0.25).step == 20


@pytest.mark.parametrize('changes', [{'full_rate_px': 12.0, 'zero_rate_px': 6.0}, {'converge_dt_s': 2.0, 'converge_longest_dt_s': 1.0}])
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match='is needed'):
        FollowSettings(**changes)


def test_moving_px_sees_a_small_hand() -> None:
    # 64 of 16384 pixels (0.4 %) move by 5 px: a percentile over the whole picture would say 0.
    flow, trust = np.zeros((128, 128, 2)), np.ones((128, 128))
    flow[:8, :8, 1] = 5.0
    assert moving_px({'front': flow}, {'front': trust}) == pytest.approx(5.0)


def test_moving_px_ignores_specks_and_what_is_not_trusted() -> None:
    flow, trust = np.zeros((128, 128, 2)), np.ones((128, 128))
    flow[:3, :3, 1] = 5.0
    assert moving_px({'front': flow}, {'front': trust}) == 0.0
    flow[:40, :40, 1] = 5.0
    assert moving_px({'front': flow}, {'front': np.zeros((128, 128))}) == 0.0


def test_moving_px_is_the_95th_percentile_of_what_moves() -> None:
    flow = np.zeros((100, 100, 2))
    flow[:10, :, 0] = np.linspace(1, 10.99, 1000).reshape(10, 100)
    # 1000 pixels move by 1.00, 1.01, ... 10.99 px; the 50th from the top is 10.50 px.
    assert moving_px({'front': flow}, {'front': np.ones((100, 100))}) == pytest.approx(10.5)


def test_motion_to_end_adds_up_the_path_far_from_the_end() -> None:
    # There and back: 10 px out, 10 px back. Flow from frame 0 to the last is zero, the path is 20 px.
    path = [0, 2, 4, 6, 8, 10, 8, 6, 4, 2, 0]
    to_end = motion_to_end(plan([float(p) for p in path]), Ruler())
    np.testing.assert_allclose(to_end, [20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0])


def test_motion_to_end_does_not_add_up_flicker() -> None:
    class Flicker(Ruler):
        def estimate(self, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            flow, trust = super().estimate(source, target)
            return flow + 0.3, trust

    to_end = motion_to_end(plan([0.0] * 21), Flicker())
    assert to_end.max() < 0.5


def test_motion_to_end_is_not_shortened_by_flow_that_loses_what_moves_far() -> None:
    class ShortSighted(Ruler):
        def estimate(self, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            flow, trust = super().estimate(source, target)
            return (flow, trust) if abs(flow[0, 0, 0]) <= 4 else (0 * flow, 0 * trust)

    to_end = motion_to_end(plan([3.0 * i for i in range(8)]), ShortSighted())
    np.testing.assert_allclose(to_end, [21, 18, 15, 12, 9, 6, 3, 0])


def scene_with_square(left: int, *, size: int = 12) -> np.ndarray:
    rgb = np.full((48, 48, 3), 40, np.uint8)
    rgb[18 : 18 + size, left : left + size] = 220
    return rgb


def test_lost_share_counts_changed_pixels_without_trusted_flow() -> None:
    source, target = {'front': scene_with_square(4)}, {'front': scene_with_square(24)}
    everything, nothing = {'front': np.ones((48, 48))}, {'front': np.zeros((48, 48))}
    assert lost_share(source, target, everything) == 0.0
    assert lost_share(source, target, nothing) == 1.0
    # Trusted where the square was (columns up to 19), not where it comes to: both places are of the same size.
    half = {'front': np.repeat((np.arange(48) < 20)[None], 48, axis=0).astype(float)}
    assert lost_share(source, target, half) == pytest.approx(0.5, abs=0.02)


def test_lost_share_is_that_of_the_worst_view_and_nothing_where_next_to_nothing_changed() -> None:
    moved, still = scene_with_square(24), scene_with_square(4)
    source = {'front': still, 'side': still}
    trust = {'front': np.zeros((48, 48)), 'side': np.ones((48, 48))}
    assert lost_share(source, {'front': moved, 'side': moved}, trust) == 1.0
    assert lost_share(source, {'front': still, 'side': moved}, trust) == 0.0


@pytest.mark.parametrize(('lost', 'rate'), [(0.0, 1.0), (0.4, 1.0), (0.45, 0.5), (0.5, 0.0), (0.55, -0.5), (0.6, -1.0), (1.0, -1.0)])
def test_plan_time_slows_and_turns_back_with_the_share_that_flow_has_lost(lost: float, rate: float) -> None:
    assert FollowSettings().rate(0.0, lost) == pytest.approx(rate)


def test_lost_flow_never_speeds_plan_time_up() -> None:
    settings = FollowSettings()
    # 9 px is half way from full_rate_px 6 to zero_rate_px 12.
    assert settings.rate(9.0) == pytest.approx(0.5)
    assert settings.rate(9.0, 0.45) == pytest.approx(0.25)
    assert settings.rate(20.0, 0.45) == 0.0
    assert settings.rate(20.0, 0.6) == -1.0


def test_plan_clock_goes_back_but_not_before_the_plan() -> None:
    clock = PlanClock(plan(STEADY), START_NS + 1 * S)
    clock.advance(START_NS + S + S // 5, -1.0)
    assert clock.tau_s == pytest.approx(0.8)
    for i in range(20):
        clock.advance(START_NS + S + S // 5 * (i + 2), -1.0)
    assert clock.tau_s == 0.0


def test_a_plan_is_not_at_its_end_while_flow_has_lost_the_robot() -> None:
    class Blind(Ruler):
        """Sees no motion at all, and knows that it does not."""

        def estimate(self, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            same = np.array_equal(source, target)
            return np.zeros((*source.shape[:2], 2), np.float32), np.full(source.shape[:2], float(same), np.float32)

    frames = np.stack([scene_with_square(4 + 2 * i) for i in range(8)])
    video = VideoPlan(plan_id=1, task_id=1, prompt='p', stamp_ns=START_NS, step_dt_s=0.3, frames={'front': frames})
    follow = PlanFollower(Blind(), Blind())
    follow.set_plan(video)
    for i in range(40):
        now_ns = START_NS + i * S // 10
        answer = follow.step({'front': Frame(view='front', stamp_ns=now_ns, rgb=frames[0])})
        assert isinstance(answer, FlowField)
        assert not answer.at_plan_end
        assert answer.remaining_px >= FollowSettings().zero_rate_px


def test_end_of_its_task_drops_the_plan_and_the_end_of_another_does_not() -> None:
    follow = follower()
    follow.set_plan(plan(STEADY))
    ok(follow.step(frames_at(0.0, 0)))
    follow.end_task(6)
    ok(follow.step(frames_at(0.1, 0)))
    follow.end_task(7)
    answer = follow.step(frames_at(0.2, 0))
    assert isinstance(answer, Refusal)
    assert answer.code == 'no_plan'


@pytest.mark.parametrize(
    ('where_px', 'due_s', 'tau_s'),
    [
        (4.0, 0.6, 0.6),  # where it should be
        (3.2, 0.6, 0.6),  # hardly behind
        (0.0, 0.9, 0.0),  # still where the plan begins
        (2.0, 0.9, 0.3),  # two frames behind
        (12.0, 0.9, 0.9),  # ahead: it is not asked to come back
        (0.0, 0.0, 0.0),
        (40.0, 6.0, 6.0),  # at the end of a plan that is over
    ],
)
def test_a_plan_is_begun_where_the_robot_is(where_px: float, due_s: float, tau_s: float) -> None:
    pictures = {view: frame.rgb for view, frame in frames_at(0.0, where_px).items()}
    assert entry_s(plan(STEADY), pictures, due_s, Ruler()) == pytest.approx(tau_s)


def test_a_plan_that_was_dreamt_for_long_is_compared_at_a_few_places_only() -> None:
    looks = []

    class Counting(Ruler):
        def estimate(self, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            looks.append(1)
            return super().estimate(source, target)

    pictures = {view: frame.rgb for view, frame in frames_at(0.0, 0.0).items()}
    assert entry_s(plan(STEADY), pictures, 5.4, Counting()) == 0.0
    assert len(looks) == 4 * len(pictures)
