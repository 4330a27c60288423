# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a trained field was made for; stored beside its weights and checked when they are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vera_core.embodiment import Embodiment
from vera_core.errors import ModelContractError

FORMAT = 1
"""Raised when weights of an older version can no longer be read."""


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

    def __post_init__(self) -> None:
        height, width = self.working_size
        if height % (8 * self.stride) or width % (8 * self.stride):
            raise ModelContractError(
                f'working size {self.working_size} must be a multiple of {8 * self.stride} px for stride {self.stride}'
            )

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of cells."""
        return self.working_size[0] // self.stride, self.working_size[1] // self.stride

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the metadata file."""
        return {'format': FORMAT, **asdict(self)}

    @classmethod
    def for_robot(cls, robot: Embodiment, **options: Any) -> FieldConfig:
        """Return the configuration that fits a robot."""
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
