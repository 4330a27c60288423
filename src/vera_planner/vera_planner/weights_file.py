# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Networks in a safetensors file with a JSON page beside it, which tells what they are and the file's digest."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vera_core.errors import ModelContractError


def kept_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a page is kept when the networks are written again."""
    return {key: value for key, value in metadata.items() if key in ('command', 'seed', 'data', 'training', 'figures', 'made')}


def write_weights(
    path: Path, modules: Mapping[str, nn.Module], page: Mapping[str, Any], *, others: Mapping[str, Tensor] | None = None
) -> None:
    """Write the tensors in half precision and the page with the file's digest, each in one step, so that nobody ever reads half a file."""
    tensors: dict[str, Tensor] = dict(others or {})
    for name, module in modules.items():
        for key, value in module.state_dict().items():
            tensors[f'{name}.{key}'] = (value.half() if value.is_floating_point() else value).contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    save_file(tensors, partial)
    digest = hashlib.sha256(partial.read_bytes()).hexdigest()
    partial.rename(path)
    path.with_suffix('.json').write_text(json.dumps({**page, 'sha256': digest}, indent=1) + '\n', encoding='utf-8')


@contextlib.contextmanager
def reading_weights(path: Path, version: int, command: str) -> Iterator[tuple[dict[str, Any], dict[str, Tensor]]]:
    """Give page and tensors of a file; whatever does not fit while they are used is an error that names the file.

    Raises:
        ModelContractError: If a file is missing, damaged, of another version or does not fit; the text names it and the command that makes it.
    """
    page_path = path.with_suffix('.json')
    for needed in (path, page_path):
        if not needed.is_file():
            raise ModelContractError(f"weights file '{needed}' does not exist; make it with: {command}")
    try:
        page = json.loads(page_path.read_text(encoding='utf-8'))
        if page['format'] != version:
            raise ModelContractError(
                f"weights '{path}' have format {page['format']}, this version reads {version}; make them again with: {command}"
            )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != page['sha256']:
            raise ModelContractError(
                f"weights file '{path}' is damaged or cut short: {path.stat().st_size} bytes with SHA-256 {digest[:12]}…, "
                f'{page["sha256"][:12]}… was expected; make it again with: {command}'
            )
        yield page, load_file(path)
    except (KeyError, TypeError, IndexError, RuntimeError, SafetensorError, json.JSONDecodeError) as error:
        raise ModelContractError(
            f"weights '{path}' do not fit this version ({type(error).__name__}: {error}); make them again with: {command}"
        ) from error


def fill_modules(modules: Mapping[str, nn.Module], tensors: Mapping[str, Tensor]) -> None:
    """Put tensors into networks, in single precision, ready to be used but not to be trained."""
    for name, module in modules.items():
        own = {key.removeprefix(f'{name}.'): value for key, value in tensors.items() if key.startswith(f'{name}.')}
        module.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in own.items()})
        module.eval()
        module.requires_grad_(False)
