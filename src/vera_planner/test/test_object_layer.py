# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The object of a task is found, cut out, left out of the background and laid in elsewhere, on pictures whose every pixel is known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vera_planner.object_layer import Cutout, ObjectTracker, cut_out

SIZE = 64
TABLE = 90
RED = (250, 20, 20)


class Colours:
    """Stands for the grounding network: the features of a cell are its mean colour."""

    def features(self, pictures: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(pictures, 2)


RED_QUERY = torch.tensor([60.0, -60.0, -60.0, 20.0])
"""A red cell scores 45, a table cell -21, "not there" 20."""


def picture(u: int, v: int) -> np.ndarray:
    """A red square of 6 x 6 px whose middle is between the pixels (u, v) and (u + 1, v + 1), on an even table."""
    made = np.full((SIZE, SIZE, 3), TABLE, np.uint8)
    made[v - 2 : v + 4, u - 2 : u + 4] = RED
    return made


def table() -> np.ndarray:
    return np.full((SIZE, SIZE, 3), TABLE, np.uint8)


def test_a_square_is_cut_out_and_laid_in_where_it_is_wanted() -> None:
    found = cut_out(picture(20, 30), table(), np.zeros((SIZE, SIZE), bool), np.array([20.5, 30.5]))
    assert found is not None
    assert found.alpha.sum() == 36
    assert found.size == 6
    colour, alpha = found.moved(np.array([25.5, 28.5]))
    laid = colour + (1 - alpha[..., None]) * table()
    assert np.array_equal(laid, picture(25, 28))


def test_nothing_is_cut_out_where_the_robot_is_or_nothing_stands_out() -> None:
    robot = np.zeros((SIZE, SIZE), bool)
    assert cut_out(table(), table(), robot, np.array([20.0, 30.0])) is None
    robot[30, 24] = True  # next to the square
    assert cut_out(picture(20, 30), table(), robot, np.array([20.5, 30.5])) is None
    assert cut_out(picture(20, 30), table(), np.zeros((SIZE, SIZE), bool), np.array([40.0, 30.0])) is None
    assert cut_out(picture(20, 30), table(), np.zeros((SIZE, SIZE), bool), np.array([500.0, 30.0])) is None


def test_the_tracker_follows_the_object_and_remembers_what_is_behind_it() -> None:
    tracker = ObjectTracker(Colours(), {'front': table()})
    bare = {'front': np.zeros((SIZE, SIZE), np.float32)}
    tracker.begin(1)
    first = tracker.look({'front': picture(20, 30)}, bare, RED_QUERY, None)
    assert first.is_seen.tolist() == [True]
    assert np.allclose(first.now, [[20.5, 30.5]], atol=0.6)
    assert np.allclose(first.onto, [[32, 32]])
    assert first.sizes.tolist() == [[6.0], [0.0]]
    later = tracker.look({'front': picture(28, 30)}, bare, RED_QUERY, None)
    assert np.allclose(later.now - first.now, [[8, 0]], atol=0.1)
    assert np.array_equal(later.start, first.start)
    frames = tracker.behind('front', np.stack([later.now[0], later.now[0] + [0, 10]]))
    assert np.abs(frames[0] - picture(28, 30)).max() <= 1
    assert np.abs(frames[1] - picture(28, 40)).max() <= 1  # and the table where it was in both pictures before


def test_an_object_out_of_sight_stays_where_it_was_and_a_new_task_begins_anew() -> None:
    tracker = ObjectTracker(Colours(), {'front': table()})
    bare = {'front': np.zeros((SIZE, SIZE), np.float32)}
    tracker.begin(1)
    seen = tracker.look({'front': picture(20, 30)}, bare, RED_QUERY, None)
    gone = tracker.look({'front': table()}, bare, RED_QUERY, None)
    assert gone.is_seen.tolist() == [False]
    assert np.array_equal(gone.now, seen.now)
    tracker.begin(2)
    assert not tracker.cutouts


def fingers(u: float, v: float, apart: float) -> np.ndarray:
    """Two marks of one view, side by side."""
    return np.array([[[u - apart / 2, v], [u + apart / 2, v]]])


def test_an_object_out_of_sight_moves_with_closed_fingers_that_it_was_between() -> None:
    tracker = ObjectTracker(Colours(), {'front': table()})
    bare, hidden = {'front': np.zeros((SIZE, SIZE), np.float32)}, {'front': np.ones((SIZE, SIZE), np.float32)}
    for task, (before, after, moved) in enumerate(
        (
            (fingers(22, 27, 4), fingers(23, 20, 4), [1, -7]),
            (fingers(40, 27, 4), fingers(41, 20, 4), [0, 0]),  # elsewhere
            (fingers(22, 27, 7), fingers(23, 20, 7), [0, 0]),  # open: they come down round it
        )
    ):
        tracker.begin(task)
        seen = tracker.look({'front': picture(20, 30)}, bare, RED_QUERY, None, before)
        later = tracker.look({'front': table()}, hidden, RED_QUERY, None, after)
        assert later.is_seen.tolist() == [False]
        assert np.allclose(later.now - seen.now, [moved]), task


def test_an_object_half_covered_is_seen_where_its_middle_is_and_not_that_of_what_is_in_sight() -> None:
    tracker = ObjectTracker(Colours(), {'front': table()})
    bare, robot = np.zeros((SIZE, SIZE), np.float32), np.zeros((SIZE, SIZE), np.float32)
    robot[:, :19] = 1.0  # and two pixels more are not believed: of the square's six columns three are left
    tracker.begin(1)
    whole = tracker.look({'front': picture(20, 30)}, {'front': bare}, RED_QUERY, None)
    half = tracker.look({'front': picture(20, 30)}, {'front': robot}, RED_QUERY, None)
    assert half.is_seen.tolist() == [True]
    assert np.allclose(half.now, whole.now, atol=0.26)


def test_sizes_are_those_where_things_were_first() -> None:
    tracker = ObjectTracker(Colours(), {'front': table()})
    bare, there = {'front': np.zeros((SIZE, SIZE), np.float32)}, np.zeros((SIZE, SIZE), np.float32)
    there[25:36, 15:26] = 1.0
    tracker.begin(1)
    hidden = tracker.look({'front': picture(20, 30)}, {'front': there}, RED_QUERY, RED_QUERY)
    assert hidden.sizes.tolist() == [[0.0], [0.0]]  # the robot covers it
    assert tracker.look({'front': picture(20, 30)}, bare, RED_QUERY, RED_QUERY).sizes.tolist() == [[6.0], [6.0]]
    nearer = picture(40, 30)
    nearer[26:36, 36:46] = RED
    assert tracker.look({'front': nearer}, bare, RED_QUERY, RED_QUERY).sizes.tolist() == [
        [6.0],
        [6.0],
    ]  # it looks larger now that it has come nearer


def test_a_cutout_moved_out_of_the_picture_is_nowhere() -> None:
    cutout = Cutout(np.array([10.0, 10.0]), np.ones((SIZE, SIZE, 3), np.float32), np.eye(SIZE, dtype=np.float32))
    assert cutout.moved(np.array([200.0, 10.0]))[1].sum() == 0
