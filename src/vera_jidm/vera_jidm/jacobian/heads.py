# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The network a configuration asks for, by the name of its head.

Every network takes picture (B, 3, H, W) in 0..1, position (B, n) in rad and view (B,) as int64, and answers with the image Jacobian
(B, n, 2, h, w) in px/rad and a trust logit (B, h, w).
"""

from __future__ import annotations

from vera_core.registry import Registry
from vera_jidm.jacobian.backbone import UNetLayers
from vera_jidm.jacobian.config import HEADS, FieldConfig


def make_network(config: FieldConfig) -> UNetLayers:
    """Return the untrained network of a configuration.

    Raises:
        ConfigError: If its head needs a package that is not installed.
    """
    networks: Registry[UNetLayers] = Registry('head', HEADS)
    return networks.make(config.head, config=config)
