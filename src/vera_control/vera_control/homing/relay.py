# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Between the controller, which decides whether the arm may move home, and a mover, which moves it."""

from __future__ import annotations

from vera_control.controller import Controller
from vera_control.home import Pose
from vera_control.homing import Mover
from vera_core.errors import Refusal


class HomeRelay:
    """Begins moves to a pose, and cancels the mover in the very tick in which the controller gives a move up."""

    def __init__(self, core: Controller, mover: Mover | None) -> None:
        """Make a relay; without a mover the controller leads every move itself."""
        self._core = core
        self._mover = mover
        self._is_moving = False

    def start(self, pose: Pose, speed_scale: float, now_ns: int) -> Refusal | None:
        """Begin a move to a pose, or say why not."""
        core = self._core
        if self._mover is None:
            return core.start_home(pose, speed_scale, now_ns)
        if core.reference.is_moving(now_ns):
            return Refusal('busy', 'the arm still comes to rest; ask again')
        refusal = core.start_home(pose, speed_scale, now_ns, is_led=False)
        if refusal is not None:
            return refusal
        assert core.home is not None  # the move that was just begun, from joints that are known
        assert core.checks.state is not None
        refusal = self._mover.start(core.home, core.checks.state.position)
        if refusal is not None:
            core.cancel_home()
            core.take_home_outcome()  # it never began
            return refusal
        self._is_moving = True
        return None

    def look(self) -> None:
        """Tell each what the other has to know; call it after every tick."""
        if not self._is_moving or self._mover is None:
            return
        home = self._core.home
        if home is None:
            self._is_moving = False
            self._mover.cancel()
            return
        end = None if home.is_driven else self._mover.poll()
        if end is not None:
            self._core.on_mover_end('' if end.reached else end.text)
            self._is_moving = end.reached
