# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Head `links`: cells choose among rigid bodies whose twists the joints give; no kinematics are told.

The picture decides where the robot is, the joints resolve what a silhouette leaves open (depth, spin of round links). The head does not
predict motion freely: cells choose among rigid bodies (see links.py), so errors stay rigid and weakly visible joints still learn.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vera_jidm.jacobian.backbone import UNetLayers, condition_input, condition_layers, joint_features
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.jacobian.links import image_motion

DEPTH_RANGE = 0.9
"""Inverse depth stays within exp(±0.9) of the reference depth."""
FOCAL_SHARE = 1.3
"""First guess of the focal length as a share of the picture's width; learned from there, so no camera calibration is needed."""


class FieldNetwork(UNetLayers):
    """Pictures, joints and view numbers in; image Jacobian and trust per cell out.

    How the twists of the bodies follow from what is known: with measured joints they are a function of the joints (and of the view) alone, as
    in a rigid robot. Without (`uses_position=False`) the configuration has to be read off the picture, so they are a function of the U-Net's
    deepest features averaged over the picture: a global code of the posture, while the assignment to bodies stays local.
    """

    def __init__(self, config: FieldConfig) -> None:
        super().__init__()
        joints, views = len(config.joint_names), len(config.view_names)
        self.view, self.condition = condition_layers(config)
        self.add_encoder(config)
        self.add_decoder(config)
        self.norm = nn.GroupNorm(8, config.channels[0])
        self.head = nn.Conv2d(config.channels[0], config.bodies + 2, 1)
        posture = 2 * joints if config.uses_position else config.channels[3]
        self.twist = nn.Sequential(nn.Linear(posture, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU())
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
        condition = self.condition(condition_input(self.config, position, self.view(view)))
        levels = self.encode(picture, condition)
        outputs = self.head(F.silu(self.norm(self.decode(levels, condition))))
        bodies = outputs[:, : self.config.bodies].softmax(dim=1)
        inverse_depth = (DEPTH_RANGE * outputs[:, -2].tanh()).exp()
        hidden = self.twist(joint_features(position) if self.config.uses_position else F.silu(levels[3]).mean(dim=(2, 3)))
        twists = torch.einsum('bof,bf->bo', self.twist_heads[view], hidden) + self.twist_bias[view]
        n, (rows, columns) = len(self.config.joint_names), self.config.grid
        twists = twists.reshape(-1, self.config.bodies - 1, n * 6).transpose(1, 2)
        cells = torch.bmm(twists, bodies[:, 1:].flatten(2)).reshape(-1, n, 6, rows, columns)
        return image_motion(cells, inverse_depth, self.offsets, self.log_focal[view].exp()), outputs[:, -1]
