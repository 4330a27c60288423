# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a trained field was made for; stored beside its weights and checked when they are loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vera_core.embodiment import Embodiment
from vera_core.errors import ModelContractError, nearest_name_hint

FORMAT = 1
"""Raised when weights of an older version can no longer be read."""
HEADS = {
    'links': 'vera_jidm.jacobian.network:FieldNetwork',
    'unet': 'vera_jidm.jacobian.direct:DirectNetwork',
    'pretrained': 'vera_jidm.jacobian.pretrained:PretrainedNetwork',
}
"""Networks by the name of their head, imported when one is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldConfig:
    """Shape of the network and the robot it belongs to."""

    robot: str
    joint_names: tuple[str, ...]
    view_names: tuple[str, ...]
    working_size: tuple[int, int]
    """(height, width) of the pictures, px."""
    stride: int = 4
    """Pixels per cell edge."""
    channels: tuple[int, int, int, int] = (32, 64, 96, 128)
    """Features at 1/4, 1/8, 1/16 and 1/32 of the picture."""
    bodies: int = 10
    """Rigid bodies a cell can belong to; body 0 never moves."""
    condition: int = 128
    """Width of the vector that carries joints and view into every block."""
    head: str = 'links'
    """How the network says what moves; one of HEADS."""
    uses_position: bool = True
    """Whether measured joints are part of the condition; without them the picture has to tell the posture."""
    joint_scale: tuple[float, ...] = ()
    """Size of each joint's image motion, px/rad, for heads that predict it directly; empty: a quarter of the picture's width for all."""
    backbone: str | None = None
    """Head `pretrained`: folder or model id the backbone's first weights come from; needed for training, not for use."""
    backbone_config: Mapping[str, Any] | None = None
    """Head `pretrained`: how the backbone is built, as transformers writes it; read from `backbone` by `for_robot`."""
    freeze_backbone: bool = True
    """Head `pretrained`: whether the backbone keeps its first weights while the rest learns."""

    def __post_init__(self) -> None:
        height, width = self.working_size
        if self.stride < 1 or min(height, width) < 1 or height % (8 * self.stride) or width % (8 * self.stride):
            raise ModelContractError(
                f'working size {self.working_size} must be a multiple of {8 * self.stride} px for stride {self.stride}'
            )
        channels: tuple[int, ...] = self.channels
        if len(channels) != 4 or any(c < 8 or c % 8 for c in channels):
            raise ModelContractError(f'channels are {self.channels}; four positive multiples of 8 are needed')
        if self.bodies < 2 or self.condition < 1:
            raise ModelContractError(f'bodies is {self.bodies} and condition {self.condition}; at least 2 and 1 are needed')
        if self.head not in HEADS:
            raise ModelContractError(f"unknown head '{self.head}'; {nearest_name_hint(self.head, HEADS)}")
        if (self.head == 'pretrained') != (self.backbone_config is not None):
            raise ModelContractError(
                f"head '{self.head}' with{'out' if self.backbone_config is None else ''} a configuration of a backbone; head 'pretrained', and "
                'no other, needs one: name the backbone'
            )
        if self.joint_scale and (
            len(self.joint_scale) != len(self.joint_names) or not all(0 < scale < math.inf for scale in self.joint_scale)
        ):
            raise ModelContractError(
                f'joint_scale is {self.joint_scale}; one positive number of px/rad for each of {len(self.joint_names)} joints is needed'
            )

    @property
    def jacobian_scale(self) -> tuple[float, ...]:
        """Size of each joint's image motion, px/rad."""
        return self.joint_scale or (self.working_size[1] / 4,) * len(self.joint_names)

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of cells."""
        return self.working_size[0] // self.stride, self.working_size[1] // self.stride

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the metadata file."""
        return {'format': FORMAT, **asdict(self)}

    @classmethod
    def for_robot(cls, robot: Embodiment, *, local_files_only: bool = False, **options: Any) -> FieldConfig:
        """Return the configuration that fits a robot.

        Args:
            robot: Gives name, joints, views and picture size.
            local_files_only: Never download the configuration of a backbone.
            options: Other fields by name.

        Raises:
            ModelContractError: If a value makes no network.
        """
        if options.get('backbone') and options.get('backbone_config') is None:
            from vera_jidm.jacobian.pretrained import read_backbone_config  # only this head needs transformers

            options['backbone_config'] = read_backbone_config(options['backbone'], local_files_only=local_files_only)
        # One body behind every joint, the still world, and two to spare for what a gripper or a cable does.
        options.setdefault('bodies', len(robot.joints) + 3)
        return cls(robot=robot.name, joint_names=robot.joint_names, view_names=robot.view_names, working_size=robot.working_size, **options)

    @classmethod
    def from_json(cls, document: object, *, source: str) -> FieldConfig:
        """Rebuild the configuration from the metadata file.

        Raises:
            ModelContractError: If the format is another one or a value is missing.
        """
        found = document.get('format') if isinstance(document, Mapping) else document
        if not isinstance(document, Mapping) or found != FORMAT:
            raise ModelContractError(
                f'{source} has format {found!r} but this version reads format {FORMAT}; train again with: vera train idm'
            )
        try:
            return cls(
                robot=str(document['robot']),
                joint_names=tuple(str(name) for name in document['joint_names']),
                view_names=tuple(str(name) for name in document['view_names']),
                working_size=(int(document['working_size'][0]), int(document['working_size'][1])),
                stride=int(document['stride']),
                channels=tuple(int(c) for c in document['channels']),  # type: ignore[arg-type]
                bodies=int(document['bodies']),
                condition=int(document['condition']),
                head=str(document.get('head', 'links')),
                uses_position=_flag(document, 'uses_position', default=True),
                joint_scale=tuple(float(scale) for scale in document.get('joint_scale', ())),
                backbone=None if document.get('backbone') is None else str(document['backbone']),
                backbone_config=None if document.get('backbone_config') is None else dict(document['backbone_config']),
                freeze_backbone=_flag(document, 'freeze_backbone', default=True),
            )
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise ModelContractError(
                f'{source} is not the metadata of a field: {type(error).__name__}: {error}; train again with: vera train idm'
            ) from error

    def check_robot(self, robot: Embodiment, *, source: str) -> None:
        """Refuse weights that were made for another robot, other joints, other views or another picture size.

        Raises:
            ModelContractError: Says what the weights were made for and what the robot has.
        """
        for what, trained, wanted in (
            ('robot', self.robot, robot.name),
            ('joints', self.joint_names, robot.joint_names),
            ('views', self.view_names, robot.view_names),
            ('working size', self.working_size, robot.working_size),
        ):
            if trained != wanted:
                raise ModelContractError(
                    f'{source} was trained for {what} {trained} but the robot has {wanted}; train with: vera train idm --robot {robot.name}'
                )


def _flag(document: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = document.get(name, default)
    if not isinstance(value, bool):
        raise TypeError(f'{name} is {value!r} but true or false was expected')
    return value
