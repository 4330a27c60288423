# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / 'examples'


@pytest.mark.sim
@pytest.mark.slow
def test_one_step_reaches_the_cube_without_ros(capsys):
    # The expert presses 10 mm into the foam and cubes are at least 40 mm wide: within 10 mm of its end the fingertip touches.
    distance_m = runpy.run_path(str(EXAMPLES / '01_one_step.py'))['main']()
    assert distance_m < 0.010
    text = capsys.readouterr().out
    assert "touching ('red_cube',)" in text
    assert 'Violations(position=0, velocity=0, acceleration=0, jerk=0)' in text
