# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a direct network was made for; stored beside its weights and checked when they are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from vera_core.errors import ModelContractError, nearest_name_hint
from vera_jidm.jacobian.config import FieldConfig

FORMAT = 1
"""Raised when weights of an older version can no longer be read."""
Sight = Literal['images', 'flow']


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectConfig:
    """Which evidence of the step the network sees, and the encoder it shares with the field."""

    sees: Sight
    """`images`: the pictures before and after, as UniPi reads actions off a generated video [Du 2023].
    `flow`: the picture before and the flow with its trust, the same that the field with its inverse gets."""
    backbone: FieldConfig
    """Robot, picture size, channels and condition; only the encoder is used of it."""
    hidden: int = 256
    """Width of the two layers that fuse the views."""

    def __post_init__(self) -> None:
        if self.sees not in get_args(Sight):
            raise ModelContractError(f"a direct network cannot see '{self.sees}'; {nearest_name_hint(self.sees, get_args(Sight))}")
        if self.hidden < 1:
            raise ModelContractError(f'hidden is {self.hidden}; it must be at least 1')

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the metadata file."""
        return {'format': FORMAT, 'sees': self.sees, 'hidden': self.hidden, 'backbone': self.backbone.to_json()}

    @classmethod
    def from_json(cls, document: object, *, source: str) -> DirectConfig:
        """Rebuild the configuration from the metadata file.

        Raises:
            ModelContractError: If the format is another one or a value is missing.
        """
        if not isinstance(document, Mapping) or document.get('format') != FORMAT or not {'sees', 'hidden', 'backbone'} <= document.keys():
            raise ModelContractError(f'{source} is not the metadata of a direct network of format {FORMAT}; train it again')
        backbone = FieldConfig.from_json(document['backbone'], source=source)
        return cls(sees=document['sees'], hidden=int(document['hidden']), backbone=backbone)
