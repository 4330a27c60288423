# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Head `unet`: 2n numbers per cell read as the image Jacobian itself, nothing assumed about the robot.

This is the image-to-Jacobian network of VERA [arXiv 2605.27817]: picture in, J(p) in R^{2 x n} out. It is the field for bodies that are not
rigid; on rigid robots `links` learns more from the same data.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vera_jidm.jacobian.backbone import UNetLayers, condition_input, condition_layers
from vera_jidm.jacobian.config import FieldConfig


class DirectHead(nn.Module):
    """Features per cell to image Jacobian and trust. A fresh one says J = 0, the point from which the normalised loss counts."""

    scale: Tensor

    def __init__(self, config: FieldConfig) -> None:
        super().__init__()
        self.register_buffer('scale', torch.tensor(config.jacobian_scale, dtype=torch.float32), persistent=False)
        self.norm = nn.GroupNorm(8, config.channels[0])
        self.motion = nn.Conv2d(config.channels[0], 2 * len(config.joint_names), 1)
        self.trust = nn.Conv2d(config.channels[0], 1, 1)
        nn.init.zeros_(self.motion.weight)
        nn.init.zeros_(self.motion.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return image Jacobian (B, n, 2, h, w), px/rad, and trust logit (B, h, w) for features (B, c0, h, w)."""
        features = F.silu(self.norm(features))
        motion = self.motion(features)
        jacobian = motion.unflatten(1, (-1, 2)) * self.scale[:, None, None, None]
        return jacobian, self.trust(features)[:, 0]


class DirectNetwork(UNetLayers):
    """Pictures, joints (optionally) and view numbers in; image Jacobian and trust per cell out."""

    def __init__(self, config: FieldConfig) -> None:
        super().__init__()
        self.view, self.condition = condition_layers(config)
        self.add_encoder(config)
        self.add_decoder(config)
        self.head = DirectHead(config)

    def forward(self, picture: Tensor, position: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        """Return image Jacobian (B, n, 2, h, w), px/rad, and trust logit (B, h, w); arguments as in FieldNetwork.forward."""
        condition = self.condition(condition_input(self.config, position, self.view(view)))
        jacobian, trust = self.head(self.decode(self.encode(picture, condition), condition))
        return jacobian, trust
