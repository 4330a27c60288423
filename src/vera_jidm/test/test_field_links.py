# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from vera_jidm.jacobian.links import cell_rays, image_motion


def test_cell_rays_are_offsets_of_cell_centres_from_the_picture_centre() -> None:
    offsets = cell_rays(2, 4, 4)
    # 16 px wide: cells are centred at pixels 1.5, 5.5, 9.5, 13.5 of a picture whose centre is 7.5.
    assert offsets[0, 0].tolist() == [-6.0, -2.0, 2.0, 6.0]
    assert offsets[1, :, 0].tolist() == [-2.0, 2.0]


@pytest.mark.parametrize('joint', range(6))
def test_image_motion_is_the_derivative_of_the_projection(joint: int) -> None:
    focal, depth, step = 100.0, 1.7, 1e-4
    offsets = torch.tensor([[[30.0]], [[-20.0]]], dtype=torch.float64)
    point = torch.tensor([30.0 / focal, -20.0 / focal, 1.0], dtype=torch.float64) * depth
    twist = torch.zeros(6, dtype=torch.float64)
    twist[joint] = 1.0
    velocity = twist[:3] + torch.linalg.cross(twist[3:], point - torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))

    def project(p: torch.Tensor) -> torch.Tensor:
        return focal * p[:2] / p[2]

    expected = (project(point + step * velocity) - project(point - step * velocity)) / (2 * step)
    motion = image_motion(
        twist.reshape(1, 1, 6, 1, 1),
        torch.full((1, 1, 1), 1 / depth, dtype=torch.float64),
        offsets,
        torch.tensor([focal], dtype=torch.float64),
    )
    torch.testing.assert_close(motion[0, 0, :, 0, 0], expected, rtol=1e-5, atol=1e-5)


def test_image_motion_of_a_sideways_shift_by_hand() -> None:
    # 1 unit/s to the right, 2 units away, focal length 100 px: 50 px/s to the right wherever the point is.
    twist = torch.zeros(1, 1, 6, 3, 3)
    twist[:, :, 0] = 1.0
    motion = image_motion(twist, torch.full((1, 3, 3), 0.5), cell_rays(3, 3, 4), torch.tensor([100.0]))
    torch.testing.assert_close(motion[0, 0, 0], torch.full((3, 3), 50.0))
    torch.testing.assert_close(motion[0, 0, 1], torch.zeros(3, 3))
