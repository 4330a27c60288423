# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The tensors of a torch checkpoint, without running anything in it.

Such a file is a zip with raw tensors and a pickled table of contents. The table is read with every name in it replaced by one of the few
builders below or by an empty stand-in, so that neither code nor classes it names are ever imported.
"""

from __future__ import annotations

import io
import mmap
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vera_core.errors import ModelContractError

STORAGES = {
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'BFloat16Storage': torch.bfloat16,
    'DoubleStorage': torch.float64,
    'LongStorage': torch.int64,
    'IntStorage': torch.int32,
    'ByteStorage': torch.uint8,
    'BoolStorage': torch.bool,
}
PREFIXES = ('model.model.', 'model.', '_orig_mod.')


class _Nothing:
    """Stands in for every object of the table that is no tensor: takes anything, does nothing."""

    def __new__(cls, *_: object, **__: object) -> _Nothing:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...

    def __setitem__(self, _: object, __: object) -> None: ...

    def append(self, _: object) -> None: ...

    def extend(self, _: object) -> None: ...

    def __call__(self, *_: object, **__: object) -> _Nothing:
        return self


@dataclass(frozen=True, slots=True)
class _Kind:
    dtype: torch.dtype


class _TableReader(pickle.Unpickler):
    """Reads the table of contents; no name in it is ever looked up."""

    def __init__(self, table: bytes, storage: Callable[[str, torch.dtype], Tensor]) -> None:
        super().__init__(io.BytesIO(table))
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if module in ('torch', 'torch.storage') and name in STORAGES:
            return _Kind(STORAGES[name])
        if (module, name) == ('collections', 'OrderedDict'):
            return OrderedDict
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return _strided
        if (module, name) == ('torch._utils', '_rebuild_parameter'):
            return _parameter
        return _Nothing

    def persistent_load(self, pid: Any) -> Tensor:
        word, kind, key, *_ = pid
        if word != 'storage' or not isinstance(kind, _Kind) or not isinstance(key, str):
            raise pickle.UnpicklingError(f'{str(pid)[:80]} is no storage of numbers')
        return self._storage(key, kind.dtype)


def _strided(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    return torch.as_strided(storage, size, stride, offset)


def _parameter(data: Tensor, *_: object) -> Tensor:
    return data


@contextmanager
def open_checkpoint(path: Path) -> Iterator[Mapping[str, Tensor]]:
    """Give the network's tensors by name, prefixes of training wrappers removed; they are views of the file while the context is open.

    Raises:
        ModelContractError: If the file is not a torch checkpoint with tensors, is cut short, or contradicts itself.
    """
    try:
        with path.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as memory, zipfile.ZipFile(file) as archive:
            yield _tensors(archive, memory)
    except (
        OSError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        RuntimeError,
        EOFError,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
    ) as error:
        if isinstance(error, ModelContractError):
            raise
        raise ModelContractError(
            f"'{path}' is no torch checkpoint that can be read ({type(error).__name__}: {error}); is the download complete?"
        ) from error


def _tensors(archive: zipfile.ZipFile, memory: mmap.mmap) -> dict[str, Tensor]:
    table = next(name for name in [*archive.namelist(), ''] if name.endswith('data.pkl') or not name)
    if not table:
        raise ModelContractError('the file holds no table of contents (data.pkl); it is no torch checkpoint')
    root = table.removesuffix('data.pkl')
    storages: dict[str, Tensor] = {}

    def storage(key: str, dtype: torch.dtype) -> Tensor:
        if key not in storages:
            entry = archive.getinfo(f'{root}data/{key}')
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ModelContractError(f'the tensors are compressed ({entry.filename}); torch never writes that')
            # A local header is 30 bytes, the name and an extra field, whose lengths are at 26 and 28.
            head = memory[entry.header_offset : entry.header_offset + 30]
            begin = entry.header_offset + 30 + int.from_bytes(head[26:28], 'little') + int.from_bytes(head[28:30], 'little')
            storages[key] = torch.frombuffer(memory, dtype=dtype, count=entry.file_size // dtype.itemsize, offset=begin).clone()
        return storages[key]

    contents = _TableReader(archive.read(table), storage).load()
    if isinstance(contents, dict) and isinstance(contents.get('state_dict'), dict):
        contents = contents['state_dict']
    found = (
        {_bare(name): value for name, value in contents.items() if isinstance(name, str) and isinstance(value, Tensor)}
        if isinstance(contents, dict)
        else {}
    )
    if not found:
        raise ModelContractError('the file holds no tensors under "state_dict"')
    return found


def _bare(name: str) -> str:
    changed = True
    while changed:
        changed = False
        for prefix in PREFIXES:
            if name.startswith(prefix):
                name, changed = name.removeprefix(prefix), True
    return name
