# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from vera_planner.models.grounding import Grounding, read_heat
from vera_planner.prompts import (
    COLOURS,
    HELD_OUT_WORDINGS,
    NOTHING_NAMED,
    NOTHING_NAMED_HELD_OUT,
    TRAIN_WORDINGS,
    held_out_sentences,
    training_sentences,
)


def test_heat_of_one_sharp_peak_is_read_at_the_middle_of_its_cell() -> None:
    logits = torch.zeros(1, 8, 8)
    logits[0, 5, 2] = 50.0
    found = read_heat(logits, torch.zeros(1))
    # Cell 2 covers columns 4 and 5, cell 5 rows 10 and 11.
    assert found.uv[0].tolist() == pytest.approx([4.5, 10.5], abs=1e-4)
    assert float(found.nothing[0]) < 1e-6


def test_two_equal_neighbouring_cells_are_read_between_them() -> None:
    logits = torch.full((1, 8, 8), -50.0)
    logits[0, 3, 4] = logits[0, 3, 5] = 50.0
    assert read_heat(logits, torch.full((1,), -50.0)).uv[0].tolist() == pytest.approx([9.5, 6.5], abs=1e-4)


def test_a_second_peak_far_away_does_not_move_the_answer() -> None:
    logits = torch.zeros(1, 16, 16)
    logits[0, 2, 2], logits[0, 12, 12] = 20.0, 19.0
    assert read_heat(logits, torch.zeros(1)).uv[0].tolist() == pytest.approx([4.5, 4.5], abs=1e-3)


def test_heat_and_nothing_sum_to_one() -> None:
    found = read_heat(torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0.0, 3.0, 9.0]))
    assert (found.heat.sum(dim=(1, 2)) + found.nothing).tolist() == pytest.approx([1.0] * 3, abs=1e-5)
    assert found.nothing.tolist() == sorted(found.nothing.tolist())


def test_network_gives_one_answer_per_picture_at_half_size() -> None:
    found = Grounding()(torch.rand(2, 3, 32, 48), torch.randn(2, 384))
    assert found.heat.shape == (2, 16, 24)
    assert found.uv.shape == (2, 2)


def test_no_held_out_sentence_is_trained_on() -> None:
    trained = {sentence for sentences in training_sentences().values() for sentence in sentences}
    held_out = {sentence for sentences in held_out_sentences().values() for sentence in sentences}
    assert not trained & held_out
    assert not set(TRAIN_WORDINGS) & set(HELD_OUT_WORDINGS)
    assert not set(NOTHING_NAMED) & set(NOTHING_NAMED_HELD_OUT)
    assert set(training_sentences()) == set(COLOURS)
