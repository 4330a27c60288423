# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole walk in one process, without ROS: picture → plan → flow → Jacobian field → joint velocity → command → motion.

The plan is a video of the simulator's scripted expert; the same loop runs in the nodes with a dreamt one. Run it:

    python examples/01_one_step.py
"""

from __future__ import annotations

import numpy as np

from vera_control.controller import Controller
from vera_control.params import ControllerParams
from vera_core.embodiment import load_embodiment
from vera_core.errors import Refusal
from vera_core.imaging import to_working_size
from vera_core.types import Frame, RobotState, VideoPlan
from vera_jidm.flow.dis import QUICK, DisFlow
from vera_jidm.following import PlanFollower
from vera_jidm.jacobian.learned import LearnedField
from vera_jidm.pipeline import PipelineSettings, invert_flow
from vera_sim.clips import STEP_DT_S, make_clip
from vera_sim.driver import TrajectoryDriver
from vera_sim.expert import sample_start
from vera_sim.scene import sample_scene
from vera_sim.world import TIMESTEP_S, World

SEED = 3
TARGET = 'red_cube'
SECONDS = 12.0
SECOND_NS = 1_000_000_000
START_NS = 1_000 * SECOND_NS
IMAGE_NS, TICK_NS = SECOND_NS // 10, SECOND_NS // 50


def main() -> float:
    """Reach for the cube; return how far the fingertip ends from the expert's, m."""
    robot = load_embodiment('panda')
    world = World(robot, sample_scene(robot, SEED))
    clip = make_clip(world, SEED, target=TARGET, with_masks=False)
    world.set_joints(clip.joints[-1])
    goal = world.fingertip.copy()
    start = sample_start(SEED)
    world.set_joints(start)

    # 1. The plan: what the cameras should see.
    plan = VideoPlan(plan_id=1, task_id=1, prompt='touch the red cube', stamp_ns=START_NS, step_dt_s=STEP_DT_S, frames=clip.frames)

    # 2. to 4. Who turns it into motion. No object below knows that there is a simulator.
    follower = PlanFollower(DisFlow(), DisFlow(QUICK))
    follower.set_plan(plan)
    field = LearnedField(robot)
    controller = Controller(robot, ControllerParams(required_nodes=()))
    driver = TrajectoryDriver(robot, TIMESTEP_S)
    driver.reset(start)

    step_ns = round(TIMESTEP_S * SECOND_NS)
    for step in range(int(SECONDS * SECOND_NS / step_ns)):
        now_ns = START_NS + step * step_ns
        if step * step_ns % TICK_NS < step_ns:
            state = RobotState(stamp_ns=now_ns, position=world.joint_position, velocity=world.joint_velocity)
            controller.on_state(state, now_ns)
            controller.on_task(1, now_ns, is_active=True)
            if not controller.safety.is_armed:
                controller.arm(now_ns)  # it wants to see the arm at rest first, for which one look is not enough
            if step * step_ns % IMAGE_NS < step_ns:
                # 2. The flow from the picture of now to the planned picture that is due.
                pictures = {view: to_working_size(world.render(view), robot.working_size) for view in robot.view_names}
                frames = {view: Frame(view=view, stamp_ns=now_ns, rgb=rgb) for view, rgb in pictures.items()}
                flow = follower.step(frames)
                if not isinstance(flow, Refusal):
                    # 3. The joint motion that explains it, through the learned Jacobian field.
                    answer = invert_flow(flow, frames, state, field, robot, PipelineSettings())
                    if not isinstance(answer, Refusal):
                        controller.on_estimate(answer.velocity, now_ns)
            # 4. A trajectory within all limits that ends at rest.
            trajectory = controller.tick(now_ns)
            if trajectory is not None:
                times_s = (trajectory.start_ns - now_ns + trajectory.period_ns * np.arange(len(trajectory.position))) * 1e-9
                send(driver, robot.joint_names, now_ns, times_s, trajectory.position, trajectory.velocity, trajectory.acceleration)
        world.step(*driver.tick((now_ns + step_ns) * 1e-9))

    distance = float(np.linalg.norm(world.fingertip - goal))
    print(
        f'fingertip {distance * 1e3:.1f} mm from where the expert ends; touching {world.touching() or "nothing"}; violations {driver.violations}'
    )
    world.close()
    return distance


def send(driver: TrajectoryDriver, names: tuple[str, ...], now_ns: int, times_s: np.ndarray, *motion: np.ndarray) -> None:
    """Hand a trajectory to the driver; it takes points from now on."""
    ahead = times_s >= 0
    refusal = driver.accept(list(names), now_ns * 1e-9, times_s[ahead], *(array[ahead] for array in motion), now_ns * 1e-9)
    if refusal is not None:
        print(refusal.text)


if __name__ == '__main__':
    main()
