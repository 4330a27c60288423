# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""planner_node: pictures and the task in, video plans out."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial

import cv2
from rclpy._rclpy_pybind11 import RCLError
from sensor_msgs.msg import Image

from vera_core.bounds import MAX_TEXT
from vera_core.diagnostics import Level
from vera_core.errors import ConfigError, LinkError, PlanningError, VeraError
from vera_core.priority import BACKGROUND, give_way
from vera_core.ros.messages import frame_from_image, from_ns, plan_to_msg
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import PLAN, SENSOR, STATUS, TASK, VERDICT
from vera_msgs.msg import PlannerStatus, PlanVerdict, Task
from vera_msgs.msg import VideoPlan as VideoPlanMsg
from vera_planner.context import ContextBuffer
from vera_planner.dreaming import Dreaming, PlannerState
from vera_planner.params import PlannerParams
from vera_planner.planner import PlanRequest, VideoPlanner
from vera_planner.registry import PLANNERS, planner_from_params
from vera_planner.schedule import ReplanSchedule
from vera_planner.verdicts import Verdicts

LOG_PERIOD_S = 2.0
STATUS_PERIOD_S = 0.5
POLL_S = 0.02
RETRY_S = 2.0
LINK_REST_S = 0.5
LEVELS = {PlannerState.WAITING: Level.WARN, PlannerState.REFUSED: Level.WARN, PlannerState.FAILED: Level.ERROR}
"""How bad a state is, for diagnostics; the others are well."""


class PlannerNode(VeraNode[PlannerParams]):
    """Wires cameras and task to a planner. Callbacks only store; a worker thread dreams."""

    def __init__(self) -> None:
        super().__init__('planner_node', PlannerParams)
        cv2.setNumThreads(1)
        PLANNERS.factory(self.params.backend)  # an unknown name ends the node at once, in words

    def configure(self) -> None:
        """Join the graph and begin to load the planner, in the worker's thread: a large one takes minutes."""
        params = self.params
        context = ContextBuffer(self.robot.view_names, length=params.context_len, spacing_s=params.step_dt_s)
        self._dreaming = Dreaming(
            context=context,
            schedule=ReplanSchedule(period_s=params.replan_period_s),
            step_dt_s=params.step_dt_s,
            seed=params.seed,
            image_timeout_s=params.image_timeout_s,
            task_timeout_s=params.task_timeout_s,
            candidates=params.candidates,
            verdicts=Verdicts(max_tries=params.max_plan_tries),
        )
        self._lock = threading.Lock()
        self._planner: VideoPlanner | None = None
        self._dream_now: PlanRequest | None = None
        self._rest_until = 0.0
        self._outdated = threading.Event()
        self._running = True
        self._said = (PlannerState.IDLE, '')
        self._plan_publisher = self.create_publisher(VideoPlanMsg, 'plan', PLAN)
        self._status_publisher = self.create_publisher(PlannerStatus, 'planner_status', STATUS)
        for view in self.robot.views:
            self.create_subscription(Image, view.image_topic, partial(self._on_image, view.name), SENSOR)
            self.require(view.image_topic, f'no picture on {view.image_topic}; is the camera driver running?')
        self.create_subscription(Task, 'task', self._on_task, TASK)
        self.create_subscription(PlanVerdict, 'plan_verdict', self._on_verdict, VERDICT)
        self.create_timer(STATUS_PERIOD_S, self._publish_status)
        self._worker = threading.Thread(target=self.run_until_the_context_ends, args=(self._work,), daemon=True)
        self._worker.start()

    def obstacles(self) -> list[str]:
        """Pictures that do not come, or a planner that is not there yet. One that plays a recording may get it later."""
        obstacles = super().obstacles()
        if self._planner is None and self.params.backend != 'recorded':
            with self._lock:
                is_failed, text = self._dreaming.state is PlannerState.FAILED, self._dreaming.text
            obstacles.append(text if is_failed else f"planner backend '{self.params.backend}' is being loaded")
        return obstacles

    def deactivate(self) -> None:
        """Give up the dream in progress."""
        self._cancel_unless(None)

    def on_params(self, params: PlannerParams) -> None:
        """Use a new re-planning period or recording from now on."""
        with self._lock:
            self._dreaming.schedule = ReplanSchedule(period_s=params.replan_period_s)
        self._outdated.set()

    def close(self) -> None:
        """End the worker."""
        self._running = False
        self._cancel_unless(None)
        self._worker.join(timeout=3.0)

    # What comes in.

    def _on_image(self, view: str, message: Image) -> None:
        try:
            frame = frame_from_image(message, view, self.robot.working_size)
        except VeraError as error:
            self.get_logger().warning(f'picture refused: {error}', throttle_duration_sec=LOG_PERIOD_S)
            self.beacon.say(str(error))
            self.diagnostics.refuse('picture', str(error), time.monotonic())
            return
        with self._lock:
            self._dreaming.on_frame(frame)

    def _on_task(self, message: Task) -> None:
        with self._lock:
            self._dreaming.on_task(
                int(message.task_id), message.prompt, self.now_ns(), is_active=message.active, replans=int(message.replans)
            )
            task_id = self._dreaming.task.task_id if self._dreaming.task else None
        self._cancel_unless(task_id)

    def _on_verdict(self, message: PlanVerdict) -> None:
        with self._lock:
            self._dreaming.on_verdict(
                int(message.task_id), int(message.plan_id), self.now_ns(), is_accepted=message.accepted, reason=message.reason[:MAX_TEXT]
            )

    def _cancel_unless(self, task_id: int | None) -> None:
        """Tell a slow backend that its dream is not wanted any more, unless it is for this task."""
        dream = self._dream_now
        if dream is not None and dream.task_id != task_id:
            dream.watch.cancel()

    # The worker.

    def _work(self) -> None:
        give_way(BACKGROUND)
        recording, retry_at = self.params.recording, 0.0
        while self._running:
            time.sleep(POLL_S)
            changed = self._outdated.is_set() and self.params.recording != recording
            self._outdated.clear()
            if changed or (self._planner is None and time.monotonic() >= retry_at):
                recording, retry_at = self.params.recording, time.monotonic() + RETRY_S
                self._load()
            if self._planner is not None and self.is_active and time.monotonic() >= self._rest_until:
                self._dream_when_due(self._planner)
            self._publish_status_when_new()

    def _load(self) -> None:
        with self._lock:
            self._planner = None
        try:
            planner = planner_from_params(self.robot, self.params)
        except VeraError as error:
            self._report_unavailable(str(error))
        except Exception as error:
            self._report_unavailable(f"backend '{self.params.backend}' cannot start: {type(error).__name__}: {error}")
        else:
            self.get_logger().info(f'planner ready: {planner.name}')
            # Both in one step: a status must not name the new planner and still carry the failure of the one before.
            with self._lock:
                self._planner = planner
                self._dreaming.on_available()

    def _report_unavailable(self, text: str) -> None:
        with self._lock:
            self._dreaming.on_unavailable(text)
        self.get_logger().error(text, throttle_duration_sec=5 * LOG_PERIOD_S)

    def _dream_when_due(self, planner: VideoPlanner) -> None:
        with self._lock:
            request = self._dreaming.next_request(self.now_ns(), plans_once=bool(getattr(planner, 'plans_once', False)))
        if request is None:
            return
        self._publish_status_when_new()
        self._dream_now = request
        try:
            self._dream(planner, request)
        except (PlanningError, ConfigError) as error:
            if request.watch.is_cancelled:
                return
            with self._lock:
                self._dreaming.on_refused(request.task_id, str(error))
            self.get_logger().warning(f'no plan: {error}', throttle_duration_sec=LOG_PERIOD_S)
        except LinkError as error:
            self._rest_until = time.monotonic() + LINK_REST_S
            with self._lock:
                self._dreaming.on_failure(str(error))
            self.get_logger().warning(f'no plan: {error}', throttle_duration_sec=LOG_PERIOD_S)
        except RCLError:
            raise
        except Exception as error:
            # The outermost frame of this thread: say it, hold, and go on with the next request.
            text = f'fault while dreaming plan {request.plan_id}: {type(error).__name__}: {error}'
            with self._lock:
                self._dreaming.on_failure(text)
            self.get_logger().error(text, throttle_duration_sec=LOG_PERIOD_S)
        finally:
            self._dream_now = None

    def _dream(self, planner: VideoPlanner, request: PlanRequest) -> None:
        began = time.perf_counter()
        plan = planner.plan(request)
        plan = replace(plan, inference_s=time.perf_counter() - began)
        message = plan_to_msg(plan)
        with self._lock:
            wanted = self._dreaming.on_plan(plan)
        if wanted is not None:
            message.candidate, message.candidates = wanted.candidate, wanted.candidates
            self._plan_publisher.publish(message)

    # Status.

    def _publish_status_when_new(self) -> None:
        with self._lock:
            now = (self._dreaming.state, self._dreaming.text)
        if now != self._said:
            self._said = now
            self._publish_status()

    def _publish_status(self) -> None:
        now_ns = self.now_ns()
        with self._lock:
            dreaming, dream = self._dreaming, self._dream_now
            if dream is not None:
                dreaming.note_lateness(now_ns, dream)
            plan = dreaming.plan
            message = PlannerStatus(
                state=int(dreaming.state),
                text=dreaming.text,
                task_id=dreaming.task.task_id if dreaming.task else 0,
                plan_id=plan.plan_id if plan else 0,
                backend=self.params.backend,
                model=self._planner.name if self._planner else '',
                last_latency=dreaming.latencies_s[-1] if dreaming.latencies_s else 0.0,
                p95_latency=dreaming.latency_p95_s(),
                plan_age=(now_ns - plan.stamp_ns) * 1e-9 if plan else 0.0,
                plans_made=dreaming.plans_made,
                plans_refused=dreaming.plans_refused,
                progress=dream.watch.progress if dream else 0.0,
            )
        message.header.stamp = from_ns(now_ns)
        self._status_publisher.publish(message)
        self.beacon.say(message.text)
        state = PlannerState(message.state)
        self.diagnostics.say(state.name, message.text, LEVELS.get(state, Level.OK), time.monotonic())


def main() -> int:
    """Run the node."""
    return run(PlannerNode)


if __name__ == '__main__':
    raise SystemExit(main())
