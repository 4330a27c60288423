# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The page as one document: markup, style and script in one answer, so that no further request has to carry the token."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from importlib import resources
from typing import Any

from vera_bringup.viewing.body import Body
from vera_bringup.viewing.prediction import named
from vera_core.embodiment import Embodiment

SCRIPTS = ('pictures.js', 'scene.js', 'plots.js', 'lines.js', 'app.js')


def page_config(robot: Embodiment, body: Body | None, *, stop_port: int) -> dict[str, Any]:
    """Return what the script knows from the start: names, the robot's solids in the order of the state's points, and its home to look at."""
    shapes = body.shapes if body else ()
    home = body.shape_points(named(robot.home, robot.joint_names)) if body else []
    return {
        'robot': robot.name,
        'views': robot.view_names,
        'joints': robot.joint_names,
        'stop_port': stop_port,
        'solids': [{'kind': shape.kind, 'radius': shape.radius, 'colour': shape.colour} for shape in shapes],
        'home': [points.tolist() for points in home],
    }


def make_page(config: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return the document and its Content-Security-Policy: only this document's own script and style run, nothing is loaded from elsewhere.

    Args:
        config: Of `page_config`.
    """
    folder = resources.files('vera_bringup.operator') / 'static'

    def read(name: str) -> str:
        return (folder / name).read_text(encoding='utf-8')

    nonce = secrets.token_urlsafe(16)
    # In a script element `</` would end it.
    data = json.dumps(config).replace('</', '<\\/')
    script = '\n'.join([f'const CONFIG = {data};', *(read(name) for name in SCRIPTS)])
    document = (
        read('index.html')
        .replace('<!-- style -->', f'<style nonce="{nonce}">{read("style.css")}</style>')
        .replace('<!-- script -->', f'<script nonce="{nonce}">"use strict";\n{script}</script>')
    )
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data: blob:; "
        "connect-src ws://127.0.0.1:* ws://localhost:*; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return document.encode(), policy
