# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests to other nodes from a thread that may wait: every one ends, with an answer or with words on who did not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.executors import Executor

from vera_core.errors import VeraError

REPEAT_AFTER_S = 4.0


class SessionError(VeraError):
    """The running system did not do what it was asked; the text says which part and what it last reported."""


class Asker:
    """Sends requests through an executor that spins in another thread."""

    def __init__(self, executor: Executor, last_words: Callable[[], str], is_lost: Callable[[str], bool]) -> None:
        """Prepare.

        Args:
            executor: Spins the node the clients belong to.
            last_words: What the system said last, for error texts.
            is_lost: Whether a node was alive and is gone.
        """
        self._executor = executor
        self._last_words = last_words
        self._is_lost = is_lost

    def call(self, client: Any, request: Any, *, what: str, timeout_s: float = 20.0) -> Any:
        """Call a service that may be called twice with the same effect, and return its answer.

        A service counts as offered while the remains of a killed server are still in the graph, and a request sent before the new server has
        found this client is lost: so the request is repeated.

        Raises:
            SessionError: If nobody offers it or nobody answers.
        """
        if not client.wait_for_service(timeout_sec=timeout_s):
            raise SessionError(f'{what} is not offered by any node')
        deadline = time.monotonic() + timeout_s
        while True:
            patience_s = min(REPEAT_AFTER_S, deadline - time.monotonic())
            try:
                return self.ask(lambda: client.call_async(request), timeout_s=patience_s, what=what)
            except SessionError:
                if time.monotonic() + 0.1 > deadline:
                    raise

    def ask(self, send: Callable[[], Any], *, timeout_s: float, what: str, node: str = '') -> Any:
        """Send a request from the executor's thread and wait for the answer here.

        An answer that arrives before the sending thread has noted its request is lost; on the thread that receives it, it cannot.

        Args:
            send: Sends, and returns the future of the answer.
            timeout_s: Patience, s.
            what: What is asked, for error texts.
            node: Who answers; when it is gone there is nothing to wait for.

        Raises:
            SessionError: If there is no answer.
        """
        deadline = time.monotonic() + timeout_s
        sent = self._wait(self._executor.create_task(send), deadline, what, '')
        return self._wait(sent, deadline, what, node)

    def run(self, work: Callable[[], Any], *, what: str, timeout_s: float = 5.0) -> Any:
        """Do something in the executor's thread, wait for it and return its result.

        What the executor waits on has to be destroyed there: destroyed from here, it ends the executor in the middle of its next look.

        Raises:
            SessionError: If it is not done in time.
        """
        return self._wait(self._executor.create_task(work), time.monotonic() + timeout_s, what, '')

    def _wait(self, future: Any, deadline: float, what: str, node: str) -> Any:
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        while not done.wait(0.1):
            # What a node said last may still be on its way, and one that was only held up comes back.
            if node and self._is_lost(node) and not done.wait(1.0) and self._is_lost(node):
                raise SessionError(f'{what} has no end any more: {node} is gone; {self._last_words()}')
            if time.monotonic() > deadline:
                raise SessionError(f'{what} gave no answer in time; {self._last_words()}')
        return future.result()
