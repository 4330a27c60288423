# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a page may ask for, checked before anybody acts on it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from vera_core.errors import ConfigError, nearest_name_hint

ACTIONS = ('arm', 'cancel', 'home', 'prompt', 'recover', 'reset', 'speed')
MAX_PROMPT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One request."""

    action: str
    text: str = ''
    """The sentence of a prompt."""
    value: float = 0.0
    """The speed scale, 0..1."""


def parse_command(message: str | bytes) -> Command:
    """Return the request of a page's message.

    Raises:
        ConfigError: If it is none, or its value cannot be used.
    """
    try:
        document = json.loads(message)
        action = str(document['do'])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f'{str(message)[:80]!r} is no request; one looks like {{"do": "arm"}}') from error
    if action not in ACTIONS:
        raise ConfigError(f"unknown request '{action[:40]}'; {nearest_name_hint(action[:40], ACTIONS)}")
    if action == 'prompt':
        text = str(document.get('text', '')).strip()
        if not 1 <= len(text) <= MAX_PROMPT:
            raise ConfigError(f'the sentence has {len(text)} characters; 1 to {MAX_PROMPT} are needed')
        return Command(action=action, text=text)
    if action == 'speed':
        value = document.get('value')
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise ConfigError(f'speed scale {str(value)[:40]} cannot be used; a number in [0, 1] is needed')
        return Command(action=action, value=float(value))
    return Command(action=action)
