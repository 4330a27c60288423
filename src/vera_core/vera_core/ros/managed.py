# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A managed node: unconfigured, inactive, active, by the standard services, and by itself when it may.

What a node makes in `configure` is silent until it is active: publishers publish nothing and timers stand still, whoever wrote the node. `cleanup`
destroys it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

from lifecycle_msgs.msg import State
from rclpy._rclpy_pybind11 import RCLError
from rclpy.action import ActionClient, ActionServer
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from vera_core.diagnostics import Diagnostics, Level, Report
from vera_core.errors import VeraError
from vera_core.ros.alive import AliveBeacon
from vera_core.ros.bunched import BunchedSubscription, NobodyWaits
from vera_core.ros.diagnostics import CountedPublisher, DiagnosticsPublisher, StreamCounter

Answer: TypeAlias = TransitionCallbackReturn
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE

CHECK_PERIOD_S = 0.1
"""How often a node that starts by itself looks whether it may become active."""
CONFIGURE_AGAIN_S = 2.0
"""How long after a failure it tries to configure again."""


class ManagedNode(LifecycleNode):  # type: ignore[misc]  # rclpy is not typed
    """Base of all nodes. A node overrides `configure` and, where it has something to say, `obstacles`, `activate`, `deactivate` and `close`."""

    _is_managing = False

    def __init__(self, name: str, **options: Any) -> None:
        """Make the node, unconfigured and silent."""
        super().__init__(name, **options)
        self.diagnostics = Diagnostics()
        self._counter = StreamCounter(self, self.diagnostics)
        self._is_configured = self._is_active = False
        self._kept: dict[int, tuple[Any, Callable[[Any], Any]]] = {}
        self._managed_timers: list[Any] = []
        self._nobody_waits = NobodyWaits()
        self._bunched: list[BunchedSubscription] = []
        self._state_text, self._has_failed = '', False
        self._again_s = 0.0
        # An exception in rclpy's own callback, for a transition that does not start in the present state, would end the process.
        self._plain_change_state = self._service_change_state.callback
        self._service_change_state.callback = self._change_state
        self._autostart_timer: Any = None
        self.has_left = False
        """True once the node wants to be destroyed; whoever spins it does so."""

    def begin(self, *, hardware_id: str, autostart: bool) -> None:
        """Start to tell how the node is, and to configure and activate when that is wanted; called once, at the end of the constructor."""
        self.beacon = AliveBeacon(self)
        self._diagnostics_publisher = DiagnosticsPublisher(self, hardware_id, self._diagnosis)
        self._stand(State.PRIMARY_STATE_UNCONFIGURED, 'starting' if autostart else 'unconfigured; waits for the transition configure')
        if autostart:
            self._autostart_timer = self.create_timer(CHECK_PERIOD_S, self._start_by_itself)
        self._kept = self._entities()
        self._is_managing = True

    # What a node fills in.

    def configure(self) -> None:
        """Hook: load models, make publishers, subscriptions, services and timers.

        Raises:
            VeraError: If the node cannot work as it is set up; it stays unconfigured and says so.
        """

    def obstacles(self) -> list[str]:
        """Hook: what keeps the node from becoming active, one sentence each; those of the base are the required streams that are silent."""
        return list(self.diagnostics.silent(time.monotonic()))

    def activate(self) -> None:
        """Hook: publishers work from here on."""

    def deactivate(self) -> None:
        """Hook: the last moment in which publishers work; what the node moves has to rest when this returns."""

    def close(self) -> None:
        """Hook: undo `configure` beyond what ROS knows of: end threads, let models go."""

    # What a node uses.

    @property
    def is_configured(self) -> bool:
        """Whether what `configure` makes is there."""
        return self._is_configured

    @property
    def is_active(self) -> bool:
        """Whether the node does its work."""
        return self._is_active

    def inactive_text(self) -> str:
        """Sentence that refuses a request while the node is not active, empty while it is."""
        return '' if self._is_active else f'{self.get_name()} is not active: {self.beacon.text}'

    def require(self, topic: str, sentence: str) -> None:
        """Make a subscribed topic a condition of becoming active; the sentence says what lacks without it."""
        self.diagnostics.require(self.resolve_topic_name(topic), sentence)

    def run_until_the_context_ends(self, loop: Callable[[], None]) -> None:
        """Run a thread's loop; what cannot be published because a signal has ended the context ends it in silence."""
        try:
            loop()
        except RCLError:
            if self.context.ok():
                raise

    def leave(self) -> None:
        """End the process after the present callback. Raising from one instead is taken by some executors for a fault."""
        self.has_left = True

    def end(self) -> None:
        """Let everything go before the node is destroyed."""
        if self._is_configured:
            self._is_configured = self._is_active = False
            self.close()

    # Entities.

    def create_publisher(self, msg_type: Any, topic: str, qos_profile: Any, **options: Any) -> Any:
        """Make a publisher that is silent while the node is not active."""
        if not self._is_managing:
            return super().create_publisher(msg_type, topic, qos_profile, **options)
        options.setdefault('event_callbacks', PublisherEventCallbacks(use_default_callbacks=False))
        publisher = super().create_publisher(msg_type, topic, qos_profile, publisher_class=CountedPublisher, **options)
        self.add_managed_entity(publisher)
        if self._is_active:  # made later than the rest: the transition that lets publishers speak is over
            publisher.on_activate(None)
        self._counter.watch(publisher)
        return publisher

    def create_subscription(self, msg_type: Any, topic: str, callback: Callable[[Any], Any], qos_profile: Any, **options: Any) -> Any:
        """Make a subscription whose messages are counted."""
        if self._is_managing and 'event_callbacks' not in options:
            callback = self._counter.counted(self.resolve_topic_name(topic), callback)
            options['event_callbacks'] = SubscriptionEventCallbacks(use_default_callbacks=False)
            subscription = super().create_subscription(msg_type, topic, callback, qos_profile, **options)
            self._counter.watch_subscription(subscription)
            return subscription
        return super().create_subscription(msg_type, topic, callback, qos_profile, **options)

    def create_bunched_subscription(
        self, msg_type: Any, topic: str, callback: Callable[[Any], Any], qos_profile: Any
    ) -> BunchedSubscription:
        """Make a subscription whose messages are counted and handed to the callback only when `take` is called; for streams of 100 Hz and more.

        Until the node is active, and for its diagnostics, the base takes them.
        """
        callback = self._counter.counted(self.resolve_topic_name(topic), callback)
        subscription = super().create_subscription(
            msg_type,
            topic,
            callback,
            qos_profile,
            callback_group=self._nobody_waits,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
        )
        self._counter.watch_subscription(subscription)
        bunched = BunchedSubscription(subscription, callback)
        self._bunched.append(bunched)
        return bunched

    def create_timer(self, timer_period_sec: float, callback: Callable[[], None], **options: Any) -> Any:
        """Make a timer that stands still while the node is not active."""
        if not self._is_managing:
            return super().create_timer(timer_period_sec, callback, **options)
        timer = super().create_timer(timer_period_sec, callback, autostart=self._is_active, **options)
        self._managed_timers.append(timer)
        return timer

    def _entities(self) -> dict[int, tuple[Any, Callable[[Any], Any]]]:
        kinds = (
            (self.timers, self.destroy_timer),
            (self.subscriptions, self.destroy_subscription),
            (self.publishers, self.destroy_lifecycle_publisher),
            (self.services, self.destroy_service),
            (self.clients, self.destroy_client),
            ((entity for entity in self.waitables if isinstance(entity, ActionServer | ActionClient)), lambda action: action.destroy()),
        )
        return {id(entity): (entity, destroy) for entities, destroy in kinds for entity in list(entities)}

    # Transitions, called by rclpy.

    def on_configure(self, state: LifecycleState) -> Answer:
        """Configure, or say why not and stay unconfigured."""
        self._kept = self._entities()
        try:
            self.configure()
        except Exception as error:  # outermost frame of the transition: whatever it is, the process stays and says it
            self._release()
            words = str(error) if isinstance(error, VeraError) else f'{type(error).__name__}: {error}'
            self._stand(State.PRIMARY_STATE_UNCONFIGURED, f'cannot be configured: {words}', failed=True)
            return FAILURE
        self._is_configured = True
        self._stand(State.PRIMARY_STATE_INACTIVE, 'starting' if self._autostart_timer else 'inactive; waits for the transition activate')
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> Answer:
        """Activate, or say what stands in the way and stay inactive."""
        obstacles = self._present_obstacles()
        if obstacles:
            self._refuse_activation(obstacles)
            return FAILURE
        super().on_activate(state)
        self._is_active = True
        try:
            self.activate()
        except VeraError as error:
            self._is_active = False
            super().on_deactivate(state)
            self._refuse_activation([str(error)])
            return FAILURE
        for timer in self._managed_timers:
            timer.reset()
        self._stand(State.PRIMARY_STATE_ACTIVE, '')
        return SUCCESS

    def on_deactivate(self, state: LifecycleState) -> Answer:
        """Come to rest and fall silent."""
        self._fall_silent(state)
        self._stand(State.PRIMARY_STATE_INACTIVE, 'inactive; waits for the transition activate')
        return SUCCESS

    def on_cleanup(self, state: LifecycleState) -> Answer:
        """Let go of everything `configure` made."""
        self._release()
        self._stand(State.PRIMARY_STATE_UNCONFIGURED, 'unconfigured; waits for the transition configure')
        return SUCCESS

    def on_shutdown(self, state: LifecycleState) -> Answer:
        """Come to rest and let go of everything; the process stays until it gets a signal."""
        if self._is_active:
            self._fall_silent(state)
        self._release()
        self._stand(State.PRIMARY_STATE_FINALIZED, 'shut down; start the process anew')
        return SUCCESS

    def on_error(self, state: LifecycleState) -> Answer:
        """After a transition that broke: back to unconfigured."""
        self.get_logger().error(f'a transition from {state.label} broke; back to unconfigured')
        return self.on_cleanup(state)

    def _fall_silent(self, state: LifecycleState) -> None:
        try:
            self.deactivate()
        except Exception as error:  # whatever it is, the node falls silent
            self.get_logger().error(f'fault while leaving the active state: {type(error).__name__}: {error}')
        self._is_active = False
        for timer in self._managed_timers:
            timer.cancel()
        super().on_deactivate(state)

    def _release(self) -> None:
        self.end()
        for identity, (entity, destroy) in self._entities().items():
            if identity not in self._kept:
                destroy(entity)
        self._managed_timers.clear()
        self._bunched.clear()
        self._counter.forget()

    def _change_state(self, request: Any, response: Any) -> Any:
        """Serve change_state; whoever asks for a transition takes the start out of the node's own hands."""
        self._end_autostart()
        try:
            return self._plain_change_state(request, response)
        except RCLError:
            label = self._state_machine.current_state[1]
            wanted = request.transition.label or request.transition.id
            self.get_logger().warning(f'no transition {wanted} starts in state {label}; nothing is changed')
            response.success = False
            return response

    # By itself.

    def _start_by_itself(self) -> None:
        state = self._state_machine.current_state[0]
        if state == State.PRIMARY_STATE_UNCONFIGURED and time.monotonic() >= self._again_s:
            self._again_s = float('inf')
            self.trigger_configure()
            self._again_s = time.monotonic() + CONFIGURE_AGAIN_S
        elif state == State.PRIMARY_STATE_INACTIVE:
            obstacles = self._present_obstacles()
            if obstacles:
                self._refuse_activation(obstacles)
            else:
                self.trigger_activate()
        if self._is_active:
            self._end_autostart()

    def _present_obstacles(self) -> list[str]:
        self._take_bunches()
        return self.obstacles()

    def _take_bunches(self) -> None:
        for bunched in self._bunched:
            bunched.take()

    def _end_autostart(self) -> None:
        timer, self._autostart_timer = self._autostart_timer, None
        if timer is not None:
            self.destroy_timer(timer)

    # What it says.

    def _refuse_activation(self, obstacles: list[str]) -> None:
        self._stand(State.PRIMARY_STATE_INACTIVE, f'waiting to become active: {"; ".join(obstacles)}')

    def _stand(self, state: int, text: str, *, failed: bool = False) -> None:
        """Say in which state the node is and why it is not active; the log hears it once."""
        is_new = text != self._state_text
        self._state_text, self._has_failed = text, failed
        self.beacon.stand(state, text)
        if is_new and failed:
            self.get_logger().error(text)
        elif is_new and text:
            self.get_logger().info(text)

    def _diagnosis(self) -> Report:
        self._take_bunches()
        now_s = time.monotonic()
        self._counter.compare()
        report = self.diagnostics.report(now_s)
        values = (('lifecycle state', self._state_machine.current_state[1]), ('says', self.beacon.text), *report.values)
        if not self._is_active:
            return Report(Level.ERROR if self._has_failed else Level.WARN, self._state_text, values)
        return Report(report.level, report.text or self.beacon.text, values)
