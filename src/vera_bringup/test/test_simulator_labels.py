# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The simulator's labels of recorded self-play, for robots other than the Panda."""

from __future__ import annotations

import numpy as np
import pytest

from vera_bringup.training import SimulatorLabels
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_jidm.training.recording import read_recording
from vera_sim.selfplay import collect

pytestmark = pytest.mark.sim


def test_labels_of_a_recorded_finger_agree_with_each_other_and_with_the_pictures(tmp_path):
    robot = load_embodiment('finger_2')
    (path,) = collect(robot, tmp_path, seconds=1.0, seed=1)
    recording = read_recording(path, robot)
    labels = SimulatorLabels(robot)(recording)
    q = recording.position[3]
    field = labels.jacobian('face', q)
    assert field.jacobian.shape == (32, 32, 2, 2)
    # Where the labels see the finger, the recorded picture is coloured; the wall is grey.
    picture = recording.frames['face'][3].astype(int)
    colourful = (picture.max(axis=-1) - picture.min(axis=-1)).reshape(32, 4, 32, 4).mean(axis=(1, 3))
    assert colourful[field.confidence == 1.0].mean() > 3 * colourful[field.confidence == 0.0].mean()
    # A small step moves the picture as the field says.
    step = np.array([2e-3, -1e-3])
    flow = labels.flow('face', q, q + step).reshape(32, 4, 32, 4, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(flow, field.jacobian @ step, atol=1e-3)


def test_labels_are_refused_for_a_recording_of_another_robot(tmp_path):
    robot = load_embodiment('finger_1')
    (path,) = collect(robot, tmp_path, seconds=0.3, seed=1)
    recording = read_recording(path, robot)
    with pytest.raises(ConfigError, match='was recorded with robot finger_1, not finger_2'):
        SimulatorLabels(load_embodiment('finger_2'))(recording)
