# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""An executor of one thread that wakes up for what has come, and for nothing else.

`SingleThreadedExecutor` of rclpy 7.1 makes a new wait set for every callback, and each callback wakes it once more for nothing. That is right for any
number of threads, and with one it is most of what a small node costs: nine nodes kept a core busy with waking up. Here the entities are gathered when
there are others than before, the wait set is filled again from that list, and everything that was ready is carried out before the next look.
What a callback may do is the same: coroutines, actions, making and destroying entities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor, TimeoutObject
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.task import Future, Task

KINDS = ('subscription', 'guard_condition', 'timer', 'client', 'service')


class _Entities:
    """What is waited for: entities by kind, and a wait set of just that size."""

    def __init__(self, nodes: list[Any], guards: list[Any], context: Any, is_free: Callable[[Any], bool]) -> None:
        lists: dict[str, list[Any]] = {kind: [] for kind in KINDS}
        self.waitables: list[Any] = []
        for node in nodes:
            for kind, entities in zip(KINDS, (node.subscriptions, node.guards, node.timers, node.clients, node.services), strict=True):
                lists[kind] += filter(is_free, entities)
            self.waitables += filter(is_free, node.waitables)
        self.node_guards = list(lists['guard_condition'])
        self._handles = {kind: [entity.handle for entity in lists[kind]] for kind in KINDS}
        self._by_pointer = {kind: {entity.handle.pointer: entity for entity in lists[kind]} for kind in KINDS}
        self._handles['guard_condition'] += [guard.handle for guard in guards]
        counts = [len(self._handles[kind]) for kind in KINDS]
        more = [waitable.get_num_entities() for waitable in self.waitables]
        for column, name in enumerate(('subscriptions', 'guard_conditions', 'timers', 'clients', 'services')):
            counts[column] += sum(getattr(count, f'num_{name}') for count in more)
        self._held = [handle for kind in KINDS for handle in self._handles[kind]] + [*self.waitables, context.handle]
        self._wait_set = _rclpy.WaitSet(*counts, sum(count.num_events for count in more), context.handle)

    def wait(self, timeout_ns: int) -> tuple[dict[str, list[Any]], list[Any]]:
        """Wait until something is ready; return the entities that are, by kind, and the waitables that are.

        Raises:
            InvalidHandle: If one of the entities has been destroyed.
        """
        held: list[Any] = []
        try:
            for handle in self._held:  # nothing is destroyed while it is waited for
                handle.__enter__()
                held.append(handle)
            wait_set = self._wait_set
            wait_set.clear_entities()
            for kind in KINDS:
                add = getattr(wait_set, f'add_{kind}')
                for handle in self._handles[kind]:
                    add(handle)
            for waitable in self.waitables:
                waitable.add_to_wait_set(wait_set)
            wait_set.wait(timeout_ns)
            ready = {}
            for kind, known in self._by_pointer.items():
                ready[kind] = [known[pointer] for pointer in wait_set.get_ready_entities(kind) if pointer in known]
            return ready, [waitable for waitable in self.waitables if waitable.is_ready(wait_set)]
        finally:
            for handle in reversed(held):
                handle.__exit__(None, None, None)


class LeanExecutor(SingleThreadedExecutor):  # type: ignore[misc]  # rclpy is not typed
    """Runs callbacks in the thread that spins."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._tasks: list[tuple[Task, Any, Any]] = []
        self._entities: _Entities | None = None
        self._changes = self._gathered_after = 0
        """How often something was made or destroyed, and how often it had been when the entities were gathered."""

    def add_node(self, node: Any) -> bool:
        """Manage a node's callbacks."""
        is_new = bool(super().add_node(node))
        self.wake()
        return is_new

    def remove_node(self, node: Any) -> None:
        """Manage them no more."""
        super().remove_node(node)
        self.wake()

    def wake(self) -> None:
        """Look again at what there is to wait for; rclpy calls this when an entity was made or destroyed."""
        self._changes += 1
        super().wake()

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Carry out everything that is ready, or wait for the first of it.

        Args:
            timeout_sec: Longest time to wait, s; None or less than 0: for ever.

        Raises:
            ExternalShutdownException: If the context has ended.
        """
        if self._is_shutdown or self._go_on_with_tasks():
            return
        entities = self._gathered()
        if entities is None:
            return
        timeout_ns = -1 if timeout_sec is None or timeout_sec < 0 else int(timeout_sec * 1e9)
        try:
            ready, waitables = entities.wait(timeout_ns)
        except InvalidHandle:  # its owner calls `wake` as well, perhaps a moment later
            self._entities = None
            return
        if self._is_shutdown:
            return
        if not self._context.ok():
            raise ExternalShutdownException
        for guard in ready['guard_condition']:
            guard._executor_triggered = True
        for waitable in waitables:
            self._carry_out(waitable, self._take_waitable)
        for timer in ready['timer']:
            self._carry_out(timer, self._take_due_timer)
        for guard in entities.node_guards:
            if guard._executor_triggered:
                self._carry_out(guard, self._take_guard_condition)
        for kind, take in (('subscription', self._take_subscription), ('client', self._take_client), ('service', self._take_service)):
            for entity in ready[kind]:
                self._carry_out(entity, take)

    def spin_once_until_future_complete(self, future: Future, timeout_sec: float | TimeoutObject | None = None) -> None:
        """Carry out what is ready, unless a future is done."""
        if not future.done():
            future.add_done_callback(lambda _: self.wake())
            self.spin_once(timeout_sec.timeout if isinstance(timeout_sec, TimeoutObject) else timeout_sec)

    def _gathered(self) -> _Entities | None:
        """Return what is waited for: as before, or anew after a change or while a coroutine keeps a callback group."""
        if self._entities is not None and self._gathered_after == self._changes and not self._tasks:
            return self._entities
        self._gathered_after = self._changes
        guards = [self._guard, self._sigint_gc]
        try:
            self._entities = None if None in guards else _Entities(self.get_nodes(), guards, self._context, self.can_execute)
        except InvalidHandle:  # destroyed just now
            self._entities = None
        entities = self._entities
        if self._tasks:
            self._entities = None  # callback groups are kept by coroutines for a while only
        return entities

    def _go_on_with_tasks(self) -> bool:
        """Go on with coroutines that were begun; return whether one has ended, which may be what others wait for."""
        if not self._tasks:
            return False
        with self._tasks_lock:
            tasks = [task for task, _, _ in self._tasks]
        for task in tasks:
            if not task.done() and not task.executing():
                self._run(task)
        with self._tasks_lock:
            before = len(self._tasks)
            self._tasks = [entry for entry in self._tasks if not (entry[0].done() or entry[0].cancelled())]
            return len(self._tasks) < before

    def _take_due_timer(self, timer: Any) -> Any:
        """Take a timer, unless it was cancelled or destroyed meanwhile."""
        try:
            return self._take_timer(timer) if timer.handle.is_timer_ready() else None
        except InvalidHandle:
            return None

    def _take_waitable(self, waitable: Any) -> Any:
        """Take what an action or an event brings, unless it was destroyed meanwhile."""
        try:
            return super()._take_waitable(waitable)
        except InvalidHandle:
            return None

    def _carry_out(self, entity: Any, take: Callable[[Any], Any]) -> None:
        """Carry out an entity's callback; what it awaits is gone on with later."""

        async def handler() -> None:
            if self._is_shutdown or not entity.callback_group.beginning_execution(entity):
                return
            try:
                with self._work_tracker:
                    call = take(entity)
                    if call is not None:
                        await call()
            finally:
                entity.callback_group.ending_execution(entity)

        task = Task(handler, executor=self)
        self._run(task)
        if not task.done():
            with self._tasks_lock:
                self._tasks.append((task, entity, None))

    @staticmethod
    def _run(task: Task) -> None:
        task()
        if task.done():
            task.result()  # raises what the callback has raised
