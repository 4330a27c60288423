# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Sentences the embedded planner is trained on, and others kept aside to test it with.

The object words are the same lists in both sets except for HELD_OUT_COLOURS, because what is tested is new phrasing.
"""

from __future__ import annotations

COLOURS = ('red', 'green', 'blue', 'yellow')
"""Colours in the order of a data set's target index."""

TRAIN_COLOURS: dict[str, tuple[str, ...]] = {
    'red': (
        'red',
        'red',
        'red',
        'red',
        'crimson',
        'scarlet',
        'ruby red',
        'cherry red',
        'blood red',
        'dark red',
        'bright red',
        'tomato coloured',
    ),
    'green': (
        'green',
        'green',
        'green',
        'green',
        'emerald',
        'lime',
        'grass green',
        'dark green',
        'bright green',
        'olive green',
        'leaf green',
        'forest green',
    ),
    'blue': ('blue', 'blue', 'blue', 'blue', 'navy', 'azure', 'navy blue', 'sky blue', 'dark blue', 'bright blue', 'cobalt', 'sapphire'),
    'yellow': (
        'yellow',
        'yellow',
        'yellow',
        'yellow',
        'golden',
        'lemon coloured',
        'lemon yellow',
        'gold',
        'bright yellow',
        'mustard',
        'amber',
        'sunny yellow',
    ),
}
"""Colour to words for it; repeated entries are drawn more often."""

HELD_OUT_COLOURS: dict[str, tuple[str, ...]] = {
    'red': ('red',),
    'green': ('green',),
    'blue': ('blue',),
    'yellow': ('yellow',),
}

TRAIN_WORDINGS: tuple[str, ...] = (
    'touch the {} cube',
    'touch the {} block',
    'Touch the {} cube.',
    'reach for the {} cube',
    'reach the {} box',
    'go to the {} cube',
    'go to the {} block',
    'move to the {} cube',
    'move your hand to the {} block',
    'move the gripper to the {} cube',
    'move the arm to the {} box',
    'put your fingers on the {} cube',
    'place the fingertips on the {} block',
    'tap the {} cube',
    'tap on the {} block',
    'press the {} cube',
    'please touch the {} cube',
    'please reach for the {} box',
    'could you touch the {} block?',
    'can you go to the {} cube',
    'the {} cube',
    'the {} block',
    '{} cube',
    '{}',
    'I want you to touch the {} cube',
    'bring the hand down onto the {} cube',
    'point at the {} cube and touch it',
    'now the {} one',
    'touch the {} one',
    'robot, touch the {} cube',
    'make contact with the {} block',
    'lower the gripper onto the {} box',
    'find the {} cube and touch it',
    'touch the cube that is {}',
    'touch the {} object',
    'your target is the {} cube',
)

HELD_OUT_WORDINGS: tuple[str, ...] = (
    'tap the top of the {} block gently',
    'reach out and touch the {} cube',
    'would you please put a finger on the {} cube',
    'head over to the {} box',
    'the {} one, please',
    'touch the {}-coloured cube',
    'I need the hand at the {} block',
    'get the gripper in contact with the {} cube',
)
"""Phrases no training ever sees; half of the evaluation episodes use them."""

NOTHING_NAMED: tuple[str, ...] = (
    'touch the cube', 'touch something', 'move', 'hello', 'stop', 'what is the time?', 'touch the purple cube', 'reach for the pink block',
    'go to the orange cube', 'touch the white cube', 'touch the black block', 'press the brown box', 'tap the grey cube', 'the violet one',
    'go home', 'wave at me', 'open the door', 'touch the banana', 'pick up the cup', 'asdf', 'do nothing', 'dance', 'touch the turquoise block',
    'the magenta cube', 'how are you?', 'turn around', 'move to the left', 'touch the table', 'touch the ball', 'sing a song', 'grab the bottle',
    'any cube', 'the cube over there', 'which cube do you like?', 'lorem ipsum dolor sit amet', 'touch the purple one', 'touch the silver cube',
)  # fmt: skip
"""Sentences that name none of the cubes: the planner learns to refuse them."""

NOTHING_NAMED_HELD_OUT: tuple[str, ...] = (
    'reach for the purple box', 'good morning', 'touch the pink cube please', 'put the spoon in the drawer', 'touch one of them', 'tap the orange block',
)  # fmt: skip


def training_sentences() -> dict[str, tuple[str, ...]]:
    """Return every training sentence per colour; a sentence that is drawn more often appears more often."""
    return {colour: tuple(wording.format(word) for wording in TRAIN_WORDINGS for word in TRAIN_COLOURS[colour]) for colour in COLOURS}


def held_out_sentences() -> dict[str, tuple[str, ...]]:
    """Return every held-out sentence per colour."""
    return {colour: tuple(wording.format(word) for wording in HELD_OUT_WORDINGS for word in HELD_OUT_COLOURS[colour]) for colour in COLOURS}
