# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import pytest

from vera_core.embodiment import load_embodiment
from vera_sim.scene import sample_scene
from vera_sim.world import World


@pytest.fixture(scope='session')
def world() -> Iterator[World]:
    panda = load_embodiment('panda')
    made = World(panda, sample_scene(panda, 3))
    yield made
    made.close()
