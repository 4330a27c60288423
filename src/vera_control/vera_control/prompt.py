# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The gate for sentences."""

from __future__ import annotations

from vera_core.errors import Refusal

MAX_PROMPT_LENGTH = 500
"""Characters; ExecuteTask.action promises this limit."""


def gate_prompt(prompt: str) -> Refusal | None:
    """Refuse a sentence that is empty, too long or holds characters nobody can read."""
    if not prompt.strip():
        return Refusal(
            'empty_prompt', f'the prompt is empty ({len(prompt)} characters); say what to do in 1 to {MAX_PROMPT_LENGTH} characters'
        )
    if len(prompt) > MAX_PROMPT_LENGTH:
        return Refusal(
            'long_prompt', f'the prompt has {len(prompt)} characters, at most {MAX_PROMPT_LENGTH} are allowed; say it in one sentence'
        )
    for place, character in enumerate(prompt):
        if not character.isprintable():
            what = f'the unprintable character {character!a} at place {place}'
            text = f'the prompt of {len(prompt)} characters (limit {MAX_PROMPT_LENGTH}) holds {what}; remove it'
            return Refusal('unprintable_prompt', text)
    return None
