# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import pytest

from vera_sim.scene import sample_scene
from vera_sim.world import World


@pytest.fixture(scope='session')
def world() -> Iterator[World]:
    made = World(sample_scene(3))
    yield made
    made.close()
