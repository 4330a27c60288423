# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""planner_node with a planner that does what the sentence says, good or bad, as a process of its own."""

from __future__ import annotations

import time

import numpy as np

from vera_core.registry import Registry
from vera_core.types import VideoPlan
from vera_planner import planner_node, registry

HANG_S = 4.0


class Obedient:
    """`hang` does not come back for a while, `nan`, `short` and `crash` do not come back well, anything else is a plan."""

    name = 'obedient'

    def __init__(self, robot):
        self._robot = robot

    def plan(self, request):
        height, width = self._robot.working_size
        film = np.full((5, height, width, 3), 90.0)
        frames = {view: np.concatenate([request.context[view][-1].rgb[None], film]).astype(np.uint8) for view in self._robot.view_names}
        if request.prompt == 'hang':
            time.sleep(HANG_S)
        elif request.prompt == 'crash':
            raise RuntimeError('out of memory')
        elif request.prompt == 'nan':
            frames = {view: np.full((5, height, width, 3), np.nan) for view in frames}
        elif request.prompt == 'short':
            frames = {view: pictures[: 3 + index] for index, (view, pictures) in enumerate(frames.items())}
        return VideoPlan(
            plan_id=request.plan_id,
            task_id=request.task_id,
            prompt=request.prompt,
            stamp_ns=request.stamp_ns,
            step_dt_s=0.3,
            frames=frames,
            model=self.name,
        )


if __name__ == '__main__':
    planners = Registry('planner', {'obedient': f'{__name__}:Obedient'})
    planner_node.PLANNERS = registry.PLANNERS = planners
    planner_node.planner_from_params = lambda robot, params: Obedient(robot)
    raise SystemExit(planner_node.main())
