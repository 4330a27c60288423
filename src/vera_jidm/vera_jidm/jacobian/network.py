# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The learned field: a small U-Net over the picture, told by the measured joints what configuration it looks at.

The picture decides where the robot is, the joints resolve what a silhouette leaves open (depth, spin of round links). The head does not
predict motion freely: cells choose among rigid bodies (see links.py), so errors stay rigid and weakly visible joints still learn.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.jacobian.links import cell_rays, image_motion

VIEW_FEATURES = 16
DEPTH_RANGE = 0.9
"""Inverse depth stays within exp(±0.9) of the reference depth."""
FOCAL_SHARE = 1.3
"""First guess of the focal length as a share of the picture's width; learned from there, so no camera calibration is needed."""


class ConditionedBlock(nn.Module):
    """Two 3x3 convolutions with a residual; scale and shift between them come from the condition (FiLM)."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, outputs, affine=False)
        self.film = nn.Linear(condition, 2 * outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return features of shape (B, outputs, h, w) for features (B, inputs, h, w) and condition (B, condition)."""
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, dim=1)
        hidden = self.norm2(self.conv1(F.silu(self.norm1(x)))) * (1 + scale) + shift
        return cast(Tensor, self.skip(x) + self.conv2(F.silu(hidden)))


class FieldNetwork(nn.Module):
    """Pictures, joints and view numbers in; image Jacobian and trust per cell out."""

    offsets: Tensor

    def __init__(self, config: FieldConfig) -> None:
        super().__init__()
        self.config = config
        joints, views, width = len(config.joint_names), len(config.view_names), config.condition
        c0, c1, c2, c3 = config.channels
        self.register_buffer('offsets', cell_rays(*config.grid, config.stride), persistent=False)
        self.view = nn.Embedding(views, VIEW_FEATURES)
        self.condition = nn.Sequential(nn.Linear(2 * joints + VIEW_FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.stem = nn.Conv2d(3 * config.stride**2 + 2, c0, 3, padding=1)
        self.down0 = ConditionedBlock(c0, c0, width)
        self.to1, self.down1 = nn.Conv2d(c0, c1, 3, stride=2, padding=1), ConditionedBlock(c1, c1, width)
        self.to2, self.down2 = nn.Conv2d(c1, c2, 3, stride=2, padding=1), ConditionedBlock(c2, c2, width)
        self.to3, self.down3 = nn.Conv2d(c2, c3, 3, stride=2, padding=1), ConditionedBlock(c3, c3, width)
        self.middle = ConditionedBlock(c3, c3, width)
        self.up2 = ConditionedBlock(c3 + c2, c2, width)
        self.up1 = ConditionedBlock(c2 + c1, c1, width)
        self.up0 = ConditionedBlock(c1 + c0, c0, width)
        self.last = ConditionedBlock(c0, c0, width)
        self.norm = nn.GroupNorm(8, c0)
        self.head = nn.Conv2d(c0, config.bodies + 2, 1)
        self.twist = nn.Sequential(nn.Linear(2 * joints, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU())
        self.twist_heads = nn.Parameter(torch.randn(views, (config.bodies - 1) * joints * 6, 256) * 256**-0.5 * 0.3)
        self.twist_bias = nn.Parameter(torch.zeros(views, (config.bodies - 1) * joints * 6))
        self.log_focal = nn.Parameter(torch.full((views,), FOCAL_SHARE * config.working_size[1]).log())

    def forward(self, picture: Tensor, position: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        """Return the field of a batch of pictures.

        Args:
            picture: Shape (B, 3, H, W), 0..1.
            position: Measured joints, shape (B, n), rad.
            view: Number of each picture's view, shape (B,), int64.

        Returns:
            Image Jacobian of shape (B, n, 2, h, w), px/rad, and trust per cell as a logit, shape (B, h, w).
        """
        joints = torch.cat([position.sin(), position.cos()], dim=1)
        condition = self.condition(torch.cat([joints, self.view(view)], dim=1))
        outputs = self.head(F.silu(self.norm(self._features(picture, condition))))
        bodies = outputs[:, : self.config.bodies].softmax(dim=1)
        inverse_depth = (DEPTH_RANGE * outputs[:, -2].tanh()).exp()
        hidden = self.twist(joints)
        twists = torch.einsum('bof,bf->bo', self.twist_heads[view], hidden) + self.twist_bias[view]
        n, (rows, columns) = position.shape[1], self.config.grid
        twists = twists.reshape(-1, self.config.bodies - 1, n * 6).transpose(1, 2)
        cells = torch.bmm(twists, bodies[:, 1:].flatten(2)).reshape(-1, n, 6, rows, columns)
        return image_motion(cells, inverse_depth, self.offsets, self.log_focal[view].exp()), outputs[:, -1]

    def _features(self, picture: Tensor, condition: Tensor) -> Tensor:
        pixels = F.pixel_unshuffle(picture * 2 - 1, self.config.stride)
        places = self.offsets / (self.config.working_size[1] / 2)
        level0 = self.down0(self.stem(torch.cat([pixels, places.expand(picture.shape[0], -1, -1, -1)], dim=1)), condition)
        level1 = self.down1(self.to1(level0), condition)
        level2 = self.down2(self.to2(level1), condition)
        level3 = self.middle(self.down3(self.to3(level2), condition), condition)
        x = self.up2(torch.cat([F.interpolate(level3, scale_factor=2.0), level2], dim=1), condition)
        x = self.up1(torch.cat([F.interpolate(x, scale_factor=2.0), level1], dim=1), condition)
        x = self.up0(torch.cat([F.interpolate(x, scale_factor=2.0), level0], dim=1), condition)
        return cast(Tensor, self.last(x, condition))
