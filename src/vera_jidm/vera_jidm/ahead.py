# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The field does not depend on the plan: it is evaluated on the newest pictures while flow_node still compares them with the plan."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import JacobianField
from vera_jidm.jacobian.model import JacobianModel

KEPT = 3
"""Sets of pictures whose field is kept until their flow arrives."""
PATIENCE_NS = 200_000_000
"""Pictures whose flow has not come after this long were not taken by flow_node."""

_Pictures = Mapping[str, RgbArray]
_Fields = Mapping[str, JacobianField]


class Turns:
    """Says on which pictures to begin: the newest, once flow_node is done with those before, and never on those whose flow has come already."""

    def __init__(self) -> None:
        self._begun_ns, self._awaits_flow = 0, False

    def begin(self, stamp_ns: int) -> bool:
        """Return whether it is the turn of the pictures of a stamp, and count them as begun if so."""
        if stamp_ns in (0, self._begun_ns) or (self._awaits_flow and 0 < stamp_ns - self._begun_ns < PATIENCE_NS):
            return False
        self._begun_ns, self._awaits_flow = stamp_ns, True
        return True

    def flow_came(self, stamp_ns: int) -> None:
        """Take in that the flow of pictures has come: they need not be begun any more, and the next ones may be."""
        self._begun_ns, self._awaits_flow = max(self._begun_ns, stamp_ns), False


class FieldAhead:
    """A JacobianModel that may be told about pictures before it is asked for their field.

    The model runs in one thread of its own, so never twice at a time; it has to leave Python's interpreter lock while it computes, or nothing
    is gained.
    """

    def __init__(self, model: JacobianModel) -> None:
        self._model = model
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix='field')
        self._begun: deque[tuple[_Pictures, Future[_Fields]]] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def begin(self, frames: _Pictures, position: FloatArray) -> None:
        """Start on new pictures and return at once; older ones that have not been started are given up."""
        with self._lock:
            for _, future in self._begun:
                future.cancel()
            self._begun.append((frames, self._pool.submit(self._model.predict, frames, position)))

    def predict(self, frames: _Pictures, position: FloatArray) -> _Fields:
        """Return the field of every view, from `begin` if it was told about the same picture objects, else made now; see JacobianModel."""
        with self._lock:
            place = next((place for place, (pictures, _) in enumerate(self._begun) if _same(pictures, frames)), None)
            future = None
            if place is not None:
                future = self._begun[place][1]
                del self._begun[place]  # asked for now: the next pictures must not cancel it
        if future is None or future.cancelled():
            future = self._pool.submit(self._model.predict, frames, position)
        return future.result()

    def close(self) -> None:
        """Give up what has not been started."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _same(first: _Pictures, second: _Pictures) -> bool:
    return first.keys() == second.keys() and all(first[view] is second[view] for view in first)
