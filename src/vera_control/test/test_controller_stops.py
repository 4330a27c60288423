# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What ends a motion for longer: an operator, an obstacle, joints that jump, another sender, a clock set back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vera_control.safety import Reason, SafetyState
from vera_core.types import RobotState

MS = 1_000_000
MakeLoop = Callable[..., Any]


def test_stop_ramps_to_rest_and_needs_reset_and_arm(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(1000, estimate=steady)
    loop.controller.stop('the operator')
    since = len(loop.trace)
    loop.run(600, estimate=steady)
    assert 0 < loop.rest_after_ms(since) <= 300
    assert loop.controller.arm(loop.now_ns) is not None
    assert loop.controller.reset(loop.now_ns) is None
    assert loop.controller.arm(loop.now_ns) is None
    loop.run(500, estimate=steady)
    assert loop.speed() > 0.1
    loop.assert_limits_kept()


def test_blocked_arm_is_held_then_stopped_for_good(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.blocked = True
    seen = set()
    for _ in range(40):
        loop.run(100, estimate=steady)
        status = loop.controller.status(loop.now_ns)
        seen.add(status.reason)
        if status.state is SafetyState.STOPPED_LATCHED:
            break
    assert Reason.NOT_FOLLOWING in seen
    assert loop.controller.safety.state is SafetyState.STOPPED_LATCHED
    assert 'rad away from its command' in loop.controller.safety.text


def test_measured_joints_that_jump_while_the_arm_moves_stop_it_for_good(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(500, estimate=steady)
    mixed = RobotState(stamp_ns=loop.now_ns, position=np.roll(loop.measured(), 1), velocity=np.zeros(7))
    refusal = loop.controller.on_state(mixed, loop.now_ns)
    assert refusal is not None
    assert (refusal.code, 'the robot can do' in refusal.text) == ('jump', True)
    since = len(loop.trace)
    loop.run(900, estimate=steady)
    assert loop.controller.safety.state is SafetyState.STOPPED_LATCHED
    assert loop.controller.safety.reason is Reason.BAD_INPUT
    assert 0 < loop.rest_after_ms(since) <= 300
    assert loop.controller.reset(loop.now_ns) is None
    assert loop.controller.arm(loop.now_ns) is None


def test_an_arm_far_from_its_command_is_not_followed(make_loop: MakeLoop, robot: Any, steady: Any):
    loop = make_loop()
    loop.run(500, estimate=steady)
    for after_ms in (0, 110):
        now_ns = loop.now_ns + after_ms * MS
        loop.controller.tracking.update(RobotState(stamp_ns=now_ns, position=robot.home + 1.0, velocity=np.zeros(7)), now_ns)
    assert loop.controller.tracking.lost is not None
    assert loop.controller.tracking.way_back is None


def test_a_blocked_arm_does_not_push_on(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.blocked = True
    loop.run(400, estimate=steady)
    assert np.abs(loop.driver.desired(loop.now_ns)[0] - loop.measured()).max() > 0.03
    loop.run(1200)
    assert loop.controller.safety.state is not SafetyState.RUNNING
    # Its command is back where the arm is, and a little further: the servos are bent no more.
    assert np.abs(loop.driver.desired(loop.now_ns)[0] - loop.measured()).max() < 0.02
    loop.assert_limits_kept()


def test_arm_put_elsewhere_at_rest_is_taken_up_where_it_is(make_loop: MakeLoop, robot: Any, steady: Any):
    loop = make_loop()
    loop.run(500, estimate=steady)
    loop.run(1000)
    moved = robot.home + 0.4
    loop.driver.position, loop.driver.messages, loop.trace = moved, [], []
    loop.run(600)
    loop.run(800, estimate=steady)
    np.testing.assert_allclose(loop.driver.messages[0].position[0], moved, atol=1e-9)
    loop.assert_limits_kept()


def test_second_sender_holds_the_arm(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(500, estimate=steady)
    loop.controller.on_publisher_count(2)
    loop.run(500, estimate=steady)
    assert loop.speed() == 0.0
    assert '1 other publisher(s) on /joint_trajectory_controller' in loop.controller.safety.text
    loop.controller.on_publisher_count(1)
    loop.run(300, estimate=steady)
    assert loop.speed() > 0.05


def test_clock_set_back_rests_and_begins_anew(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(500, estimate=steady)
    loop.controller.tick(loop.now_ns - 2000 * MS)  # the last tick was 20 ms before now
    assert not loop.controller.reference.is_anchored
    assert 'the clock went back by 1.98 s' in loop.controller.safety.text
