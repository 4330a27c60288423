# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Robot = Annotated[str, typer.Option(help='Embodiment: the name of a shipped robot or the path of a YAML file.')]
Seed = Annotated[int, typer.Option(help='Same seed, same draw.')]
