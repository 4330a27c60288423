# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The U-Net that the fields share, told by a condition (joints and view) what it looks at [U-Net: Ronneberger 2015; FiLM: Perez 2018].

Its layers are a base class, not only a part: trained weights name them without a prefix, and those names stay. ConditionedUNet is the same
network as a part, for models that bring their own way into and out of it.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.jacobian.links import cell_rays

VIEW_FEATURES = 16


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


class UNetLayers(nn.Module):
    """The layers of the U-Net, added to the module itself, and the two ways through them."""

    config: FieldConfig
    offsets: Tensor

    def add_encoder(self, config: FieldConfig, *, inputs: int = 3) -> None:
        """Add the way down: cells of `inputs` planes to features at 1, 1/2, 1/4 and 1/8 of the grid."""
        width, (c0, c1, c2, c3) = config.condition, config.channels
        self.config = config
        self.register_buffer('offsets', cell_rays(*config.grid, config.stride), persistent=False)
        self.stem = nn.Conv2d(inputs * config.stride**2 + 2, c0, 3, padding=1)
        self.down0 = ConditionedBlock(c0, c0, width)
        self.to1, self.down1 = nn.Conv2d(c0, c1, 3, stride=2, padding=1), ConditionedBlock(c1, c1, width)
        self.to2, self.down2 = nn.Conv2d(c1, c2, 3, stride=2, padding=1), ConditionedBlock(c2, c2, width)
        self.to3, self.down3 = nn.Conv2d(c2, c3, 3, stride=2, padding=1), ConditionedBlock(c3, c3, width)
        self.middle = ConditionedBlock(c3, c3, width)

    def add_decoder(self, config: FieldConfig) -> None:
        """Add the way up: four levels of features to one set of features per cell."""
        width, (c0, c1, c2, c3) = config.condition, config.channels
        self.up2 = ConditionedBlock(c3 + c2, c2, width)
        self.up1 = ConditionedBlock(c2 + c1, c1, width)
        self.up0 = ConditionedBlock(c1 + c0, c0, width)
        self.last = ConditionedBlock(c0, c0, width)

    def encode(self, planes: Tensor, condition: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return four levels of features, finest first.

        Args:
            planes: Picture or other planes, shape (B, inputs, H, W), 0..1.
            condition: Shape (B, condition).

        Returns:
            Shapes (B, c0, h, w), (B, c1, h/2, w/2), (B, c2, h/4, w/4) and (B, c3, h/8, w/8).
        """
        cells = F.pixel_unshuffle(planes * 2 - 1, self.config.stride)
        places = self.offsets / (self.config.working_size[1] / 2)
        level0 = self.down0(self.stem(torch.cat([cells, places.expand(planes.shape[0], -1, -1, -1)], dim=1)), condition)
        level1 = self.down1(self.to1(level0), condition)
        level2 = self.down2(self.to2(level1), condition)
        level3 = self.middle(self.down3(self.to3(level2), condition), condition)
        return level0, level1, level2, level3

    def decode(self, levels: tuple[Tensor, Tensor, Tensor, Tensor], condition: Tensor) -> Tensor:
        """Return features per cell, shape (B, c0, h, w), from the four levels of `encode`."""
        level0, level1, level2, level3 = levels
        x = self.up2(torch.cat([F.interpolate(level3, scale_factor=2.0), level2], dim=1), condition)
        x = self.up1(torch.cat([F.interpolate(x, scale_factor=2.0), level1], dim=1), condition)
        x = self.up0(torch.cat([F.interpolate(x, scale_factor=2.0), level0], dim=1), condition)
        return cast(Tensor, self.last(x, condition))


class ConditionedUNet(UNetLayers):
    """The U-Net as a part: planes and condition in, features per cell out.

    Args:
        config: Picture size, stride, channels and width of the condition.
        inputs: Planes it looks at: 3 for a picture, 6 for two, 2 more for a flow.
    """

    def __init__(self, config: FieldConfig, *, inputs: int = 3) -> None:
        super().__init__()
        self.add_encoder(config, inputs=inputs)
        self.add_decoder(config)

    def forward(self, picture: Tensor, condition: Tensor) -> Tensor:
        """Return features of shape (B, c0, h, w) for planes (B, inputs, H, W), 0..1, and condition (B, condition)."""
        return self.decode(self.encode(picture, condition), condition)


def condition_layers(config: FieldConfig) -> tuple[nn.Embedding, nn.Sequential]:
    """Return what turns view number and `condition_input` into the condition."""
    inputs = VIEW_FEATURES + (2 * len(config.joint_names) if config.uses_position else 0)
    width = config.condition
    return nn.Embedding(len(config.view_names), VIEW_FEATURES), nn.Sequential(
        nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
    )


def condition_input(config: FieldConfig, position: Tensor, view_features: Tensor) -> Tensor:
    """Return joints and view as one vector per picture; the view alone for a field that does not use positions."""
    return torch.cat([joint_features(position), view_features], dim=1) if config.uses_position else view_features


def joint_features(position: Tensor) -> Tensor:
    """Return sine and cosine of the joints, shape (B, 2n), for positions (B, n), rad: a full turn is no step."""
    return torch.cat([position.sin(), position.cos()], dim=1)
