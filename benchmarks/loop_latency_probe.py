# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Stopwatches around the stages of flow_node and jidm_node for loop_latency.py; the nodes themselves know nothing of them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

Entries = list[dict[str, Any]]


class Stopwatch:
    """Adds up the time of named stages within one piece of work, per thread."""

    def __init__(self) -> None:
        self.entries: Entries = []
        self._here = threading.local()

    @property
    def _entry(self) -> dict[str, Any]:
        if not hasattr(self._here, 'entry'):
            self._here.entry = {}
        entry: dict[str, Any] = self._here.entry
        return entry

    def stage(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time added to `name`, ns."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.monotonic_ns()
            try:
                return function(*args, **kwargs)
            finally:
                self._entry[name] = self._entry.get(name, 0) + time.monotonic_ns() - start

        return timed

    def stamped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Like `stage` for a function whose first argument carries the stamp of the pictures."""
        timed = self.stage(name, function)

        def noted(first: Any, *args: Any, **kwargs: Any) -> Any:
            self._entry['stamp'] = first.stamp_ns
            return timed(first, *args, **kwargs)

        return noted

    def work(self, prefix: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return one piece of work that writes an entry when a stamp came by; begin and end are on the clock of the stamps."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._entry.clear()
            begin = time.time_ns()
            result = function(*args, **kwargs)
            if 'stamp' in self._entry:
                self.entries.append({**self._entry, f'{prefix}_begin': begin, f'{prefix}_end': time.time_ns()})
            return result

        return timed


def instrument(name: str) -> tuple[Callable[[], int], Entries]:
    """Return a node's main function with stopwatches inside, and the list they write to."""
    sys.argv = sys.argv[:1]
    watch = Stopwatch()
    return (_instrument_flow if name == 'flow_node' else _instrument_jidm)(watch), watch.entries


def _instrument_flow(watch: Stopwatch) -> Callable[[], int]:
    from vera_jidm import flow_node
    from vera_jidm.flow.dis import DisFlow

    flow_node.frame_from_image = watch.stage('flow_convert', flow_node.frame_from_image)
    DisFlow.estimate = watch.stage('flow_estimate', DisFlow.estimate)  # type: ignore[method-assign]
    flow_node.flow_to_msg = watch.stamped('flow_pack', flow_node.flow_to_msg)
    flow_node.FlowNode._work = watch.work('flow', flow_node.FlowNode._work)  # type: ignore[method-assign]
    return flow_node.main


def _instrument_jidm(watch: Stopwatch) -> Callable[[], int]:
    from vera_jidm import jidm_node, pipeline
    from vera_jidm.ahead import FieldAhead

    jidm_node.flow_from_msg = watch.stage('jidm_convert', jidm_node.flow_from_msg)
    jidm_node.frame_from_image = watch.stage('jidm_convert', jidm_node.frame_from_image)
    FieldAhead.predict = watch.stage('jidm_field_wait', FieldAhead.predict)  # type: ignore[method-assign]
    pipeline.solve_joint_step = watch.stage('jidm_solve', pipeline.solve_joint_step)
    jidm_node.velocity_to_msg = watch.stamped('jidm_pack', jidm_node.velocity_to_msg)
    jidm_node.JidmNode._work = watch.work('jidm', jidm_node.JidmNode._work)  # type: ignore[method-assign]
    return jidm_node.main
