# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A trained field on disk: a folder with `field.safetensors` (numbers), `field.json` (what for, how made) and `field.onnx` (graph)."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from vera_core.embodiment import Embodiment
from vera_core.errors import ModelContractError
from vera_core.shapes import Array
from vera_jidm.jacobian.config import FieldConfig

WEIGHTS = 'field.safetensors'
METADATA = 'field.json'
GRAPH = 'field.onnx'
RETRAIN = 'train it again with: vera train idm'


def field_folder(robot: Embodiment) -> Path:
    """Return where the weights of a robot are kept, whether or not there are any: beside its YAML file, or inside the package for its robots."""
    return shipped_folder(robot.name) if robot.folder is None else robot.folder / f'{robot.name}_field'


def shipped_folder(robot: str) -> Path:
    """Return where the package keeps the weights of a robot, whether or not there are any."""
    return Path(__file__).parent.parent / 'weights' / robot


def write_weights(folder: Path, tensors: Mapping[str, Array], metadata: Mapping[str, Any], *, half: bool = False) -> None:
    """Write numbers, in half precision when asked to, and metadata; a reader never sees half a file.

    Raises:
        ModelContractError: If a number is too large for half precision.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: _halved(name, tensor) if half else np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    write_whole(folder / WEIGHTS, save(kept))
    write_whole(folder / METADATA, (json.dumps(metadata, indent=2) + '\n').encode())


def _halved(name: str, tensor: Array) -> Array:
    if tensor.dtype.kind != 'f':
        return np.ascontiguousarray(tensor)
    if np.abs(tensor).max(initial=0.0) > np.finfo(np.float16).max:
        raise ModelContractError(
            f'tensor {name} holds {np.abs(tensor).max():.3g}, and half precision ends at {np.finfo(np.float16).max:.0f}'
        )
    return np.ascontiguousarray(tensor, dtype=np.float16)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one piece: beside its place first, then moved there."""
    beside = path.with_name(path.name + '.part')
    beside.write_bytes(data)
    beside.replace(path)


def read_metadata(folder: Path) -> dict[str, Any]:
    """Return the metadata of a trained field.

    Raises:
        ModelContractError: If there is none or it cannot be read.
    """
    path = folder / METADATA
    if not path.is_file():
        raise ModelContractError(f'no trained Jacobian field in {folder}: {METADATA} is missing; {RETRAIN}')
    try:
        document = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, OSError) as error:
        raise ModelContractError(f'{path} cannot be read: {error}; {RETRAIN}') from error
    if not isinstance(document, dict):
        raise ModelContractError(f'{path} holds a {type(document).__name__} but an object was expected; {RETRAIN}')
    return document


def read_config(folder: Path) -> FieldConfig:
    """Return what a trained field was made for.

    Raises:
        ModelContractError: If the metadata is missing, unreadable or of another format.
    """
    return FieldConfig.from_json(read_metadata(folder).get('network', {}), source=str(folder / METADATA))


def read_tensors(path: Path) -> dict[str, Array]:
    """Return the tensors of a safetensors file, in single precision.

    Raises:
        ModelContractError: If it is missing, cut short, damaged or holds a value that is not finite.
    """
    if not path.is_file():
        raise ModelContractError(f'{path} is missing; {RETRAIN}')
    data = path.read_bytes()
    try:
        tensors: dict[str, Array] = load(data)
    except (SafetensorError, ValueError, KeyError, struct.error) as error:
        raise ModelContractError(f'{path} ({len(data)} bytes) is cut short or damaged: {error}; copy it again or {RETRAIN}') from error
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise ModelContractError(f'{path}: tensor {name} holds values that are not finite; {RETRAIN}')
    return {name: tensor.astype(np.float32) if tensor.dtype == np.float16 else tensor for name, tensor in tensors.items()}


def check_tensors(found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]], *, source: str) -> None:
    """Refuse weights whose names or shapes are not those of the network.

    Raises:
        ModelContractError: Names the first tensor that is missing, unknown or of another shape.
    """
    for name in sorted(wanted.keys() | found.keys()):
        if found.get(name) != wanted.get(name):
            raise ModelContractError(
                f'{source}: tensor {name} has shape {found.get(name)} but the network needs {wanted.get(name)}; {RETRAIN}'
            )
