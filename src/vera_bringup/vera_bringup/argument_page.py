# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/arguments.md from the set-ups: `python -m vera_bringup.argument_page > docs/arguments.md`."""

from __future__ import annotations

from vera_bringup.set_ups import SET_UPS, SetUp

HEAD = """# Launch arguments
Made by `python -m vera_bringup.argument_page > docs/arguments.md` from the set-ups; a test compares. They are written `name:=value`, for `ros2 launch vera_bringup NAME.launch.py` and for `vera up NAME` alike;
`--show-args` lists them too. A wrong value is refused with the list of right ones. What the nodes themselves can be told beyond these is in [parameters](parameters.md) (`params_file`).
"""


def page() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for set_up in SET_UPS.values():
        parts.append(f'\n## {set_up.name}\n{set_up.description}.\n\n| argument | default | values | meaning |\n|---|---|---|---|\n')
        parts += _rows(set_up)
    return ''.join(parts)


def _rows(set_up: SetUp) -> list[str]:
    rows = []
    for argument in set_up.arguments:
        values = ', '.join([*(f'`{choice}`' for choice in argument.choices), *([argument.also] if argument.also else [])]) or 'any'
        rows.append(f'| `{argument.name}` | `{argument.default}` | {values} | {argument.text} |\n')
    return rows


if __name__ == '__main__':
    print(page(), end='')
