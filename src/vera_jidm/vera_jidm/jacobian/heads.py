# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The network a configuration asks for, by the name of its head.

Every network takes picture (B, 3, H, W) in 0..1, position (B, n) in rad and view (B,) as int64, and answers with the image Jacobian
(B, n, 2, h, w) in px/rad and a trust logit (B, h, w).
"""

from __future__ import annotations

from collections.abc import Mapping

from vera_core.registry import Registry
from vera_jidm.jacobian.backbone import UNetLayers
from vera_jidm.jacobian.config import HEADS, FieldConfig


def make_network(config: FieldConfig, *, local_files_only: bool = False) -> UNetLayers:
    """Return the untrained network of a configuration; the backbone of head `pretrained` has its own weights.

    Args:
        config: What to build.
        local_files_only: Never download a backbone.

    Raises:
        ConfigError: If its head needs a package that is not installed.
        ModelContractError: If its backbone cannot be loaded.
    """
    return _make(config, {'local_files_only': local_files_only})


def empty_network(config: FieldConfig) -> UNetLayers:
    """Return the network of a configuration with numbers that mean nothing, to be filled from a trained field.

    Raises:
        ConfigError: If its head needs a package that is not installed.
        ModelContractError: If the configuration of its backbone makes none.
    """
    return _make(config, {'weights': False})


def _make(config: FieldConfig, backbone: Mapping[str, bool]) -> UNetLayers:
    networks: Registry[UNetLayers] = Registry('head', HEADS)
    return networks.make(config.head, config=config, **(backbone if config.head == 'pretrained' else {}))
