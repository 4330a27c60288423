# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Who may use the page: whoever has the token and comes from this machine by one of its own names."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

LOOPBACK = '127.0.0.1'
OWN_NAMES = ('127.0.0.1', 'localhost')


def new_token() -> str:
    """Return a fresh secret of 128 bits, safe in a URL."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request is refused: HTTP status and one sentence."""

    status: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Checks every request, pages and websockets alike."""

    token: str

    def check(self, target: str, *, host: str, origin: str | None) -> Denial | None:
        """Return why a request may not pass, None when it may.

        Args:
            target: Path and query as requested; the query carries `token`.
            host: Header Host. Another name than loopback's own means that a foreign page was resolved to this machine.
            origin: Header Origin, None when there is none; browsers send it with every websocket.
        """
        if _host_name(f'//{host}') not in OWN_NAMES:
            return Denial(
                403,
                f"refused: the page answers as {' or '.join(OWN_NAMES)}, not as '{host[:80]}'; tunnel its ports to reach it from elsewhere",
            )
        if origin is not None and _host_name(origin) not in OWN_NAMES:
            return Denial(403, f"refused: pages from '{origin[:80]}' may not use this one")
        try:
            given = parse_qs(urlsplit(target).query, max_num_fields=8).get('token', [''])[0]
        except ValueError:
            given = ''
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return Denial(401, 'refused: the token is missing or wrong; open the address that operator_node printed at its start')
        return None


def _host_name(address: str) -> str | None:
    """Return the host of an address, None when it is no address."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
