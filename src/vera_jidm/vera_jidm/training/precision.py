# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs a network's convolutions and matrix products in bfloat16 during training, where the processor has units for it."""

from __future__ import annotations

from typing import Any, Literal, cast, get_args

import torch
from torch import nn

from vera_core.errors import ConfigError, nearest_name_hint

Precision = Literal['fp32', 'bf16']
"""How the network computes while it trains; weights, losses, checks and the running system stay in float32."""


def to_precision(name: str) -> Precision:
    """Return a precision by its name.

    Raises:
        ConfigError: If there is none of that name; names those there are.
    """
    if name not in get_args(Precision):
        raise ConfigError(f"unknown precision '{name}'; {nearest_name_hint(name, get_args(Precision))}")
    return cast(Precision, name)


def available_precision(wanted: Precision) -> tuple[Precision, str]:
    """Return the precision that is used and, if it is not the wanted one, a sentence that says why.

    Without bf16 units the processor emulates them: a training step was measured ten times slower on AVX2 alone.
    """
    if wanted == 'bf16' and not has_bf16_units():
        return 'fp32', 'this processor has no bf16 units (avx512_bf16 or amx_bf16): training in fp32'
    return wanted, ''


def has_bf16_units() -> bool:
    """Say whether this processor multiplies in bfloat16."""
    found = torch.cpu.get_capabilities()
    return bool(found.get('avx512_bf16') or found.get('amx_bf16'))


class InPrecision(nn.Module):
    """A network whose forward pass runs in a precision and whose outputs are float32; the weights are the network's own."""

    def __init__(self, network: nn.Module, precision: Precision) -> None:
        super().__init__()
        self.network, self._bf16 = network, precision == 'bf16'

    def forward(self, *inputs: Any) -> Any:
        """Return what the network returns, as float32."""
        with torch.autocast('cpu', torch.bfloat16, enabled=self._bf16):
            outputs = self.network(*inputs)
        return tuple(map(_to_float32, outputs)) if isinstance(outputs, tuple) else _to_float32(outputs)


def _to_float32(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16 else value
