# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Camera drivers for the views of a robot, from one YAML file: `config/cameras/NAME.yaml` of this package, or one of your own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vera_bringup.arguments import NONE
from vera_bringup.files import shared_file
from vera_bringup.specs import NodeSpec
from vera_core.embodiment import View, load_embodiment
from vera_core.errors import ConfigError, nearest_name_hint

PRESETS = ('realsense', 'usb_cam')
"""Presets that ship with the package."""

_KEYS = ('package', 'executable', 'install', 'image_topic', 'camera_info_topic', 'parameters', 'views')
_PLACE = '{view}'
"""Stands for the name of the view in text of `parameters`."""


def camera_nodes(preset: str, robot: str) -> tuple[NodeSpec, ...]:
    """Return one camera driver per view of the robot, named `camera_VIEW`; none for the preset `none`.

    Args:
        preset: `none`, one of `PRESETS`, or the path of a YAML file.
        robot: Name or path of the robot file, whose views say where the pictures go.

    Raises:
        ConfigError: If the preset is unknown or incomplete, or its views are not the robot's.
    """
    if preset == NONE:
        return ()
    document = load_preset(preset)
    views = load_embodiment(robot).views
    given, wanted = sorted(document['views']), sorted(view.name for view in views)
    if given != wanted:
        raise ConfigError(
            f"camera preset {preset} has the views {given}, but robot {robot} has {wanted}; give one entry under 'views' to each"
        )
    return tuple(_node(document, view) for view in views)


def load_preset(preset: str) -> dict[str, Any]:
    """Read a preset and look at its entries.

    Raises:
        ConfigError: If there is no such file, it is not YAML, or an entry is missing or unknown.
    """
    path = Path(preset) if preset.endswith(('.yaml', '.yml')) else None
    if path is None:
        if preset not in PRESETS:
            raise ConfigError(
                f"unknown camera preset '{preset}'; {nearest_name_hint(preset, (NONE, *PRESETS))}, or give the path of a YAML file"
            )
        path = shared_file(f'config/cameras/{preset}.yaml')
    try:
        document = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f'camera preset {path} cannot be read: {error}') from error
    if not isinstance(document, dict) or sorted(document) != sorted(_KEYS):
        found = sorted(document) if isinstance(document, dict) else type(document).__name__
        raise ConfigError(
            f'camera preset {path} has {found}; it needs exactly {", ".join(_KEYS)}, compare it with config/cameras/usb_cam.yaml'
        )
    if not all(isinstance(document[key], dict) for key in ('parameters', 'views')):
        raise ConfigError(f"camera preset {path}: 'parameters' and 'views' must be lists of NAME: VALUE")
    return document


def _node(document: Mapping[str, Any], view: View) -> NodeSpec:
    own = document['views'][view.name] or {}
    parameters = {name: _filled(value, view.name) for name, value in {**document['parameters'], **own}.items()}
    return NodeSpec(
        package=document['package'],
        executable=document['executable'],
        alias=f'camera_{view.name}',
        parameters=parameters,
        remappings={document['image_topic']: view.image_topic, document['camera_info_topic']: view.camera_info_topic},
        install=document['install'],
    )


def _filled(value: Any, view: str) -> Any:
    return value.replace(_PLACE, view) if isinstance(value, str) else value
