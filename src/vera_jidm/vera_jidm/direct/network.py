# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The direct network: the field's conditioned encoder per view, pooled, views put side by side, two layers, one joint step.

Where the field predicts image motion per joint and solves for the step, this network has to learn that solution itself.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vera_core.errors import ShapeError
from vera_jidm.direct.config import DirectConfig
from vera_jidm.jacobian.backbone import UNetLayers, condition_input, condition_layers, joint_features

PLANES = 6
"""Two pictures, or a picture with two components of flow and their trust."""
HEADS = 8
"""Places that the pooling attends to at once."""
FLOW_UNIT_PX = 2.0
"""Typical motion on the robot; flow enters the encoder in this unit, px."""


class AttentionPool(nn.Module):
    """Mean, maximum and HEADS attended means over all cells; the attention of each head weighs its own share of the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.score = nn.Conv2d(channels, HEADS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return shape (B, 3 channels) for features of shape (B, channels, h, w)."""
        x = F.silu(self.norm(x))
        values = x.flatten(2)
        attention = self.score(x).flatten(2).softmax(dim=2)
        attended = torch.einsum('bhp,bhcp->bhc', attention, values.unflatten(1, (HEADS, -1))).flatten(1)
        return torch.cat([values.mean(dim=2), values.amax(dim=2), attended], dim=1)


class StepNetwork(UNetLayers):
    """Evidence of all views and measured joints in, joint step out.

    Args:
        config: What it sees, for which robot.
        step_std: Standard deviation of each joint's step in the training data, shape (n,), rad: the unit of the last layer.
    """

    step_std: Tensor

    def __init__(self, config: DirectConfig, step_std: Tensor) -> None:
        super().__init__()
        backbone = config.backbone
        if step_std.shape != (len(backbone.joint_names),):
            raise ShapeError(f'step_std has shape {tuple(step_std.shape)} but the robot has {len(backbone.joint_names)} joints')
        self.direct = config
        self.register_buffer('step_std', step_std.float())
        self.view, self.condition = condition_layers(backbone)
        self.add_encoder(backbone, inputs=PLANES)
        self.pools = nn.ModuleList(AttentionPool(channels) for channels in backbone.channels[1:])
        joints, views = len(backbone.joint_names), len(backbone.view_names)
        self.fuse = nn.Sequential(
            nn.Linear(3 * sum(backbone.channels[1:]) * views + 2 * joints, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, joints),
        )

    def forward(self, planes: Tensor, position: Tensor) -> Tensor:
        """Return the joint step of each pair.

        Args:
            planes: Evidence of every view (see image_planes and flow_planes), shape (P, V, PLANES, H, W).
            position: Measured joints before the step, shape (P, n), rad.

        Returns:
            Shape (P, n), rad.
        """
        pairs, views = planes.shape[:2]
        view = torch.arange(views, device=planes.device).repeat(pairs)
        repeated = position.repeat_interleave(views, dim=0)
        condition = self.condition(condition_input(self.config, repeated, self.view(view)))
        levels = self.encode(planes.flatten(0, 1), condition)[1:]
        pooled = torch.cat([pool(level) for pool, level in zip(self.pools, levels, strict=True)], dim=1)
        step = self.fuse(torch.cat([pooled.reshape(pairs, -1), joint_features(position)], dim=1))
        return cast(Tensor, step * self.step_std)


def image_planes(before: Tensor, after: Tensor) -> Tensor:
    """Return two pictures of shape (P, V, 3, H, W), 0..1, as planes: the first one and what changes to the second.

    The same information as the two side by side, without the network having to learn the subtraction.
    """
    return torch.cat([before, (after - before + 1) / 2], dim=2)


def flow_planes(before: Tensor, flow: Tensor, trust: Tensor) -> Tensor:
    """Return a picture and the flow that starts in it as planes.

    Args:
        before: Shape (P, V, 3, H, W), 0..1.
        flow: Mean over each cell, shape (P, V, 2, h, w), px.
        trust: Shape (P, V, h, w), 0..1.
    """
    # The encoder takes its planes from 0..1 to -1..1.
    cells = torch.cat([(flow / FLOW_UNIT_PX + 1) / 2, trust[:, :, None]], dim=2)
    scale = before.shape[-1] // flow.shape[-1]
    return torch.cat([before, cells.repeat_interleave(scale, dim=-2).repeat_interleave(scale, dim=-1)], dim=2)
