# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From soft link memberships, free twists and inverse depth to image motion: the one equation of the field.

Every cell belongs softly to a few rigid bodies. Body k moves with twist T[k, j] when joint j moves, so a point of the body moves in the
picture by the interaction matrix of visual servoing [Chaumette & Hutchinson 2006] times that twist. Twists are taken about a point on the
optical axis at depth 1, not about the camera: this keeps all terms of similar size instead of letting large ones cancel.
"""

from __future__ import annotations

import torch
from torch import Tensor


def cell_rays(height: int, width: int, stride: int) -> Tensor:
    """Return pixel offsets of the cell centres from the picture's centre, shape (2, height, width), px: u right, v down."""
    u = (torch.arange(width, dtype=torch.float32) + 0.5) * stride - width * stride / 2
    v = (torch.arange(height, dtype=torch.float32) + 0.5) * stride - height * stride / 2
    return torch.stack([u[None, :].expand(height, width), v[:, None].expand(height, width)])


def image_motion(twist: Tensor, inverse_depth: Tensor, offsets: Tensor, focal_px: Tensor) -> Tensor:
    """Return the image motion of points that move with a twist.

    A point at (x, y, 1)/rho with velocity v + w x (P - (0, 0, 1)) moves in the picture by
    x' = rho v1 + (1 - rho) w2 - y w3 - x s,  y' = rho v2 - (1 - rho) w1 + x w3 - y s  with  s = rho v3 + y w1 - x w2.

    Args:
        twist: Shape (B, n, 6, h, w): v and w of every joint at every cell, per rad, depth units.
        inverse_depth: rho, shape (B, h, w), 1 / depth unit.
        offsets: Cell centres from the picture's centre, shape (2, h, w), px.
        focal_px: Focal length of each picture, shape (B,), px.

    Returns:
        Image Jacobian, shape (B, n, 2, h, w), px/rad.
    """
    rays = offsets[None] / focal_px[:, None, None, None]
    x, y = rays[:, None, 0], rays[:, None, 1]
    rho = inverse_depth[:, None]
    v1, v2, v3, w1, w2, w3 = twist.unbind(dim=2)
    shrink = rho * v3 + y * w1 - x * w2
    x_rate = rho * v1 + (1 - rho) * w2 - y * w3 - x * shrink
    y_rate = rho * v2 - (1 - rho) * w1 + x * w3 - y * shrink
    return torch.stack([x_rate, y_rate], dim=2) * focal_px[:, None, None, None, None]
