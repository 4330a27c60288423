# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the command that trains the planner refuses before it films anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from vera_bringup.training_planner import train_task
from vera_core.errors import ConfigError


@pytest.mark.parametrize(
    ('robot', 'task', 'text'),
    [
        ('panda', 'reach', "can learn push, pick, stack, rotate besides reach, not 'reach'"),
        ('panda', 'rotate', 'take --robot allegro'),
        ('allegro', 'push', 'from the expert with panda, not allegro'),
        ('panda', 'stack', 'take --robot panda_gripper'),
    ],
)
def test_what_cannot_be_trained_is_told_before_anything_is_filmed(tmp_path: Path, robot: str, task: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        train_task(robot, task, data=tmp_path / 'data', work=tmp_path / 'work', out=tmp_path / 'out', clips=50, minutes=1.0, seed=0)
    assert not list(tmp_path.iterdir())
