# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A diary of everything the controller is given, call by call with its time, and of its whole state now and then.

The controller holds no clock, so the same calls on the same state give the same commands: a diary is enough to repeat a decision, exactly,
without a robot and without ROS. Nobody writes it while nobody reads it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from vera_control.memory import KEPT_NAMES, encode, restore
from vera_core.errors import ConfigError, ShapeError

MOST_CALLS = 5000
"""Calls kept for one page, far more than come between two ticks; past it the page is given up and the next one begins with the state."""

_to_json = json.JSONEncoder(separators=(',', ':')).encode  # made once: `json.dumps` with separators makes an encoder at every call


class Journaled(Protocol):
    """Anything whose methods are noted."""

    journal: Journal


OwnerT = TypeVar('OwnerT', bound=Journaled)
ReturnT = TypeVar('ReturnT')
ParamsT = ParamSpec('ParamsT')


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What happened between two ticks."""

    number: int
    """Rises by one; a gap means that pages are missing."""
    memory: str
    """The state before the first call, JSON; empty on most pages."""
    calls: tuple[str, ...]
    """Each call as JSON: [method, positional arguments, keyword arguments]."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the controller."""

    method: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


class Journal:
    """Notes the outermost calls of its owner's methods that carry `@journaled`."""

    def __init__(self) -> None:
        self.is_listening = False
        """True while calls are to be noted: somebody reads, and no noted call is running."""
        self._is_open = False
        self._calls: list[str] = []
        self._memory = ''
        self._number = 0

    def open(self, owner: object) -> None:
        """Begin, or begin a page with the owner's state; calls noted since the last page belong before it and must be taken first."""
        self._calls.clear()
        self._memory = _to_json(encode(owner))
        self._is_open = self.is_listening = True

    def close(self) -> None:
        """Note nothing more until the next `open`."""
        self._is_open = self.is_listening = False
        self._calls.clear()
        self._memory = ''

    def take_page(self) -> Page | None:
        """Return what was noted since the last page; None when the journal is closed or fell too far behind."""
        if not self._is_open:
            return None
        self._number += 1
        page = Page(number=self._number, memory=self._memory, calls=tuple(self._calls))
        self._memory = ''
        self._calls.clear()
        return page

    def note(self, method: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        """Note a call; `@journaled` does."""
        if len(self._calls) >= MOST_CALLS:
            self.close()
            return
        self._calls.append(_to_json([method, encode(list(arguments)), encode(keywords)]))


def journaled(method: Callable[Concatenate[OwnerT, ParamsT], ReturnT]) -> Callable[Concatenate[OwnerT, ParamsT], ReturnT]:
    """Have a method's calls noted when they come from outside; what one noted method asks of another follows from the first."""

    @functools.wraps(method)
    def noted(self: OwnerT, /, *args: ParamsT.args, **kwargs: ParamsT.kwargs) -> ReturnT:
        journal = self.journal
        if not journal.is_listening:
            return method(self, *args, **kwargs)
        journal.note(method.__name__, args, kwargs)
        journal.is_listening = False
        try:
            return method(self, *args, **kwargs)
        finally:
            journal.is_listening = journal._is_open

    noted.is_journaled = True  # type: ignore[attr-defined]
    return noted


def journaled_methods(owner: type) -> tuple[str, ...]:
    """Return the names of a class's methods whose calls are noted."""
    return tuple(name for name in dir(owner) if getattr(getattr(owner, name), 'is_journaled', False))


def remembered(page: Page, name: str) -> Any:
    """Return one attribute of the state a page begins with, for example `params`.

    Raises:
        ConfigError: If the page has no state or the state no such attribute.
    """
    try:
        return restore(json.loads(page.memory)['state'][name], None)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'page {page.number} of the journal tells nothing about {name}: {error}') from error


def recall(page: Page, owner: object) -> None:
    """Bring a freshly made owner into the state a page begins with.

    Raises:
        ConfigError: If the page has no state, or one of another kind of object.
    """
    try:
        restored = restore(json.loads(page.memory), owner)
    except (ValueError, KeyError, TypeError, ShapeError) as error:
        raise ConfigError(f'the state on page {page.number} of the journal cannot be restored: {error}') from error
    if restored is not owner:
        raise ConfigError(f'page {page.number} of the journal holds the state of another object than a {type(owner).__name__}')


def calls_of(page: Page, owner: type) -> Iterator[Call]:
    """Return the calls on a page.

    Raises:
        ConfigError: If a call is malformed, or not one of the owner's noted methods.
    """
    known = journaled_methods(owner)
    for text in page.calls:
        try:
            method, arguments, keywords = json.loads(text)
            call = Call(str(method), tuple(restore(arguments, None)), dict(restore(keywords, None)))
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(f'page {page.number} of the journal holds a malformed call: {error}') from error
        if call.method not in known:
            raise ConfigError(
                f"page {page.number} of the journal calls '{call.method}', which this version does not know; use the version that recorded it"
            )
        yield call


__all__ = ['KEPT_NAMES', 'Call', 'Journal', 'Journaled', 'Page', 'calls_of', 'journaled', 'journaled_methods', 'recall', 'remembered']
