# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Who may use a service: an address to listen on, and a token that clients send in the header `Authorization: Bearer`."""

from __future__ import annotations

import hmac
import ipaddress
from pathlib import Path

from vera_core.errors import ConfigError

MIN_TOKEN = 16
"""Shortest token, characters."""


def read_token(path: str) -> str:
    """Return the token in a file, without its line end; empty when no file is named.

    Raises:
        ConfigError: If the file is missing, others may read it, or the token is too short.
    """
    if not path:
        return ''
    file = Path(path).expanduser()
    try:
        mode = file.stat().st_mode
        token = file.read_text(encoding='ascii').strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"token file '{path}' cannot be read: {error}; make one with: (umask 077; openssl rand -hex 32 > '{path}')"
        ) from error
    if mode & 0o077:
        raise ConfigError(f"token file '{path}' can be read by others (mode {mode & 0o777:o}); do: chmod 600 '{path}'")
    if len(token) < MIN_TOKEN or not token.isprintable() or ' ' in token:
        raise ConfigError(f"token file '{path}' holds {len(token)} characters; one word of at least {MIN_TOKEN} is needed")
    return token


def check_address(host: str, token: str) -> str:
    """Return the address to listen on.

    Raises:
        ConfigError: If it is open to other machines and there is no token.
    """
    if not token and not is_loopback(host):
        raise ConfigError(f"'{host}' is open to other machines: give a token file, or listen on 127.0.0.1 and use an SSH tunnel")
    return host


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == 'localhost':
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries a token; none without one."""
    return {'Authorization': f'Bearer {token}'} if token else {}


def is_allowed(header: str | None, token: str) -> bool:
    """Whether a client's `Authorization` header carries the token; the comparison takes the same time wherever they differ."""
    return not token or hmac.compare_digest((header or '').encode('utf-8', 'replace'), f'Bearer {token}'.encode())
