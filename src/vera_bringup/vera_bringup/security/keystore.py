# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The keystore of a set-up on disk, laid out as SROS 2 reads it: public/, private/ and one folder per enclave.

`ros2 security` of a ROS 2 installation goes on working with it, for example to add the enclave of a driver.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from vera_bringup.security.access import dds_access, own_nodes
from vera_bringup.security.authority import Authority, Identity
from vera_bringup.security.documents import governance, permissions
from vera_bringup.specs import SystemSpec, enclave_of
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError

CLOCK_SLACK = timedelta(days=1)
"""Certificates are valid a little earlier than now: clocks of machines differ."""
LONGEST_NAME = 64
"""A common name of X.509 has at most this many characters."""
MOST_DOMAINS = 232
IDENTITY_CA, PERMISSIONS_CA = 'identity_ca', 'permissions_ca'


@dataclass(frozen=True, slots=True, kw_only=True)
class KeystoreRequest:
    """What is asked for."""

    folder: Path
    system: SystemSpec
    domain: int = 0
    days: int = 3650
    """How long keys are valid, days."""


def make_keystore(request: KeystoreRequest, now: datetime) -> tuple[str, ...]:
    """Write the keystore and return its enclaves.

    Args:
        request: Where, for which set-up.
        now: Time, UTC.

    Raises:
        ConfigError: If there is something in the folder already, or a value does not fit; nothing is written then.
    """
    folder = request.folder.expanduser().absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            f'{folder} is there already and is not overwritten: nodes would lose their keys; name another folder or remove it'
        )
    if not 0 <= request.domain <= MOST_DOMAINS:
        raise ConfigError(f'domain {request.domain} is none; ROS_DOMAIN_ID is 0 to {MOST_DOMAINS}')
    if request.days < 1:
        raise ConfigError(f'keys valid for {request.days} days are of no use; at least 1')
    nodes = {enclave_of(request.system.namespace, node.name): node for node in own_nodes(request.system)}
    if too_long := [enclave for enclave in nodes if len(enclave) > LONGEST_NAME]:
        raise ConfigError(f'{too_long[0]} has {len(too_long[0])} characters; certificates take {LONGEST_NAME}: choose a shorter namespace')
    begin, end = now - CLOCK_SLACK, now + timedelta(days=request.days)
    robot = load_embodiment(request.system.robot)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        store = _Store(folder, begin, end)
        store.write_rules(governance(request.domain))
        for enclave, node in nodes.items():
            access = dds_access(node, request.system.namespace, robot)
            store.write_enclave(enclave, permissions(enclave, access, request.domain, begin=begin, end=end))
    except BaseException:
        shutil.rmtree(folder)  # half a keystore would be taken for a whole one
        raise
    return tuple(nodes)


class _Store:
    """Files of one keystore."""

    def __init__(self, folder: Path, begin: datetime, end: datetime) -> None:
        self._folder = folder
        self._identity = Authority('vera identity authority', begin=begin, end=end)
        self._permissions = Authority('vera permissions authority', begin=begin, end=end)
        for name, mode in (('public', 0o755), ('private', 0o700), ('enclaves', 0o755)):
            (folder / name).mkdir(mode=mode)
        for name, authority in ((IDENTITY_CA, self._identity), (PERMISSIONS_CA, self._permissions)):
            _write(folder / 'public' / f'{name}.cert.pem', authority.identity.certificate)
            _write(folder / 'private' / f'{name}.key.pem', authority.identity.key, is_secret=True)

    def write_rules(self, document: bytes) -> None:
        """Write the governance, plain for people and signed for DDS."""
        self._write_signed(self._folder / 'enclaves', 'governance', document)

    def write_enclave(self, enclave: str, document: bytes) -> None:
        """Write one enclave with a new key."""
        folder = self._folder / 'enclaves' / enclave.strip('/')
        folder.mkdir(parents=True)
        identity: Identity = self._identity.issue(enclave)
        _write(folder / 'cert.pem', identity.certificate)
        _write(folder / 'key.pem', identity.key, is_secret=True)
        self._write_signed(folder, 'permissions', document)
        shared = [f'public/{name}.cert.pem' for name in (IDENTITY_CA, PERMISSIONS_CA)]
        for place in (*shared, 'enclaves/governance.p7s'):
            link = folder / Path(place).name
            link.symlink_to(os.path.relpath(self._folder / place, folder))

    def _write_signed(self, folder: Path, name: str, document: bytes) -> None:
        _write(folder / f'{name}.xml', document)
        _write(folder / f'{name}.p7s', self._permissions.sign(document))


def _write(path: Path, content: bytes, *, is_secret: bool = False) -> None:
    """Write a new file; a secret one was never readable for others."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if is_secret else 0o644), 'wb') as file:
        file.write(content)
