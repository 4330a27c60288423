# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From a folder or model id to a diffusers pipeline: safetensors only, no code of the folder is run, every failure in words."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from vera_core.errors import ConfigError, ModelContractError, nearest_name_hint

PIP = "pip install 'diffusers==0.42.1' 'transformers>=5' accelerate ftfy"
DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
OFFLOADS = ('none', 'model', 'sequential')
LIBRARIES = ('diffusers', 'transformers', None)
"""Where the parts of a pipeline may come from; any other name would be code that lies in the folder."""
MODEL_ID = re.compile(r'[\w.-]+/[\w.-]+')
PICKLES = ('.bin', '.pt', '.pth', '.ckpt', '.pkl', '.pickle')


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and how a model computes."""

    device: str
    dtype: torch.dtype
    offload: str
    local_only: bool


def make_place(device: str, dtype: str, offload: str, *, allow_download: bool) -> Place:
    """Return where to compute.

    Raises:
        ConfigError: If the device is not there, or a name is unknown.
    """
    if device == 'auto':
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    kind = device.split(':')[0]
    if kind not in ('cpu', 'cuda') or (kind == 'cuda' and not torch.cuda.is_available()):
        raise ConfigError(
            f"device is '{device}'; {'no CUDA device is found on this machine' if kind == 'cuda' else 'auto, cpu and cuda are known'}"
        )
    if dtype != 'auto' and dtype not in DTYPES:
        raise ConfigError(f"unknown dtype '{dtype}'; {nearest_name_hint(dtype, ['auto', *DTYPES])}")
    if offload not in OFFLOADS:
        raise ConfigError(f"unknown offload '{offload}'; {nearest_name_hint(offload, OFFLOADS)}")
    if offload != 'none' and kind == 'cpu':
        raise ConfigError(f"offload '{offload}' saves GPU memory; with device {device} use none")
    if dtype == 'auto':
        dtype = 'bfloat16' if kind == 'cuda' else 'float32'
    return Place(device=device, dtype=DTYPES[dtype], offload=offload, local_only=not allow_download)


def import_diffusers() -> Any:
    """Return the package.

    Raises:
        ConfigError: If it is not installed; the text names the command.
    """
    try:
        for needed in ('accelerate', 'ftfy'):
            importlib.import_module(needed)
        return importlib.import_module('diffusers')
    except ImportError as error:
        raise ConfigError(
            f'the diffusers planner needs the packages diffusers, accelerate and ftfy, of which one cannot be imported ({error}); install it with: {PIP}'
        ) from error


def pipeline_class(model: str, place: Place) -> str:
    """Return the class name of the pipeline in a folder or behind a model id, after a look at what it is made of.

    Raises:
        ConfigError: If it is not there, or cannot be fetched.
        ModelContractError: If it holds pickled weights, asks for code of its own, or its index is damaged.
    """
    if not model:
        raise ConfigError(
            "no model is named; set the parameter 'model' to a folder or a model id such as Wan-AI/Wan2.1-I2V-14B-480P-Diffusers"
        )
    folder = Path(model).expanduser()
    if folder.is_file():
        raise ModelContractError(
            f"model '{model}' is a file; a folder with model_index.json is needed. Weights of VERA are converted with: python -m vera_planner.vera_wan.convert"
        )
    if folder.is_dir():
        index = _read_index(folder)
        _refuse_pickles(folder)
    elif MODEL_ID.fullmatch(model):
        index = _fetch_index(model, place)
    else:
        raise ConfigError(f"model folder '{model}' does not exist, and it is no model id such as Wan-AI/Wan2.1-I2V-14B-480P-Diffusers")
    name = index.get('_class_name')
    for part, source in index.items():
        if not part.startswith('_') and isinstance(source, list) and source and source[0] not in LIBRARIES:
            raise ModelContractError(
                f"model '{model}' takes its {part} from '{str(source[0])[:60]}'; only parts of diffusers and transformers are loaded"
            )
    if not isinstance(name, str):
        raise ModelContractError(f"model '{model}' names the pipeline {str(name)[:80]}; code that comes with a model is never run")
    return name


def load_part(part: Any, folder: str, place: Place, **options: Any) -> Any:
    """Return `part.from_pretrained(folder)`: a pipeline, a network or a tokenizer.

    Raises:
        ModelContractError: If weights are missing, cut short, or not safetensors.
        ConfigError: If there is too little memory.
    """
    try:
        return part.from_pretrained(folder, local_files_only=place.local_only, **options)
    except torch.OutOfMemoryError as error:
        raise ConfigError(
            f"model '{folder}' does not fit into the memory of {place.device}: {error}; set offload to model or sequential"
        ) from error
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise ModelContractError(
            f"model '{folder}' cannot be loaded ({type(error).__name__}: {str(error)[:400]}); is the download complete?"
        ) from error


def load_pipeline(model: str, name: str, place: Place) -> Any:
    """Return a pipeline, placed on its device.

    Raises:
        ConfigError: If diffusers is missing or there is too little memory.
        ModelContractError: If its weights cannot be used.
    """
    diffusers = import_diffusers()
    pipeline = load_part(getattr(diffusers, name), model, place, torch_dtype=place.dtype, use_safetensors=True)
    settle(pipeline, place)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def settle(pipeline: Any, place: Place) -> None:
    """Put a pipeline where it computes.

    Raises:
        ConfigError: If there is too little memory, or offloading lacks a package.
    """
    try:
        if place.offload == 'model':
            pipeline.enable_model_cpu_offload(device=place.device)
        elif place.offload == 'sequential':
            pipeline.enable_sequential_cpu_offload(device=place.device)
        else:
            pipeline.to(place.device)
    except torch.OutOfMemoryError as error:
        raise ConfigError(
            f'the model does not fit into the memory of {place.device}: {error}; set offload to model or sequential'
        ) from error
    except ImportError as error:
        raise ConfigError(f"offload '{place.offload}' needs a package that cannot be imported ({error}); install it with: {PIP}") from error


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / 'model_index.json'
    try:
        index = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise ModelContractError(
            f"model folder '{folder}' has no model_index.json that can be read ({error}); is it a diffusers model?"
        ) from error
    if not isinstance(index, dict):
        raise ModelContractError(f"'{path}' holds a {type(index).__name__}; a JSON object was expected")
    return index


def _refuse_pickles(folder: Path) -> None:
    for path in sorted(folder.rglob('*')):
        if path.suffix in PICKLES and path.is_file() and not list(path.parent.glob('*.safetensors')):
            raise ModelContractError(
                f"'{path}' is a pickled file, which could run code when it is read; only safetensors are loaded. Get the safetensors files of the model"
            )


def _fetch_index(model: str, place: Place) -> dict[str, Any]:
    diffusers = import_diffusers()
    try:
        index = diffusers.DiffusionPipeline.load_config(model, local_files_only=place.local_only)
    except (OSError, ValueError) as error:
        hint = 'set allow_download to true to fetch it, or name a folder' if place.local_only else 'check the id and the network'
        raise ConfigError(f"model '{model}' is not on this machine or cannot be fetched; {hint} ({str(error)[:200]})") from error
    return dict(index)
