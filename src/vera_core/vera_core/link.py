# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A client's WebSocket to another machine: it is opened when needed, refused with a reason, and tried again after a growing pause."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

from vera_core.codec import MAX_BYTES, decode, encode
from vera_core.errors import ConfigError, LinkError, WireError

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0
OPEN_S = 5.0
CLOSE_S = 0.5
HELLO_S = 10.0
Message = dict[str, Any]


class Link:
    """One connection, for one thread. The server speaks first; what it says is handed to `greet`, which may refuse it.

    Args:
        url: `ws://host:port` or `wss://host:port`.
        greet: Called with the server's first message of every new connection; raises a VeraError to refuse the server.
        headers: Sent when the connection is opened, for example a token.
        keepalive_s: Pings this often notice a peer that is gone; None for servers that do not answer while they compute.
        clock: Rising time, s.
    """

    def __init__(
        self,
        url: str,
        greet: Callable[[Message], None],
        *,
        headers: Mapping[str, str] | None = None,
        keepalive_s: float | None = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = check_url(url)
        self._greet = greet
        self._headers = dict(headers or {})
        self._keepalive_s = keepalive_s
        self._clock = clock
        self._connection: ClientConnection | None = None
        self._closing = contextlib.ExitStack()
        self._pause_s = 0.0
        self._next_try = 0.0
        self._why = ''

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None

    def open(self) -> None:
        """Connect unless there is a connection already.

        Raises:
            LinkError: If the server cannot be reached or refuses, or the pause after the last failure is not over.
            VeraError: What `greet` raised.
        """
        if self._connection is not None:
            return
        wait_s = self._next_try - self._clock()
        if wait_s > 0:
            raise LinkError(f'{self._why}; next try in {wait_s:.1f} s')
        try:
            self._connection = self._connect()
            hello = self.receive(HELLO_S)
            if not isinstance(hello, dict):
                raise LinkError(f'{self.url} said {"nothing" if hello is None else repr(hello[:80])} within {HELLO_S:g} s of being called')
            self._greet(hello)
        except Exception as error:
            self._fail(str(error))
            raise
        self._pause_s = 0.0

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message.

        Raises:
            LinkError: If the connection is gone.
            WireError: If the message cannot be written.
        """
        data = encode(message)
        try:
            self._live().send(data)
        except (WebSocketException, OSError) as error:
            raise self._lost(error) from error

    def receive(self, timeout_s: float) -> Message | str | None:
        """Return the next message, a text as it came, or None when nothing came in time.

        Raises:
            LinkError: If the connection is gone or what came cannot be read; the next `open` connects again.
        """
        try:
            data = self._live().recv(timeout=timeout_s)
            return data if isinstance(data, str) else decode(data)
        except TimeoutError:
            return None
        except WireError as error:
            self._fail(f'{self.url} sent what cannot be read: {error}')
            raise LinkError(self._why) from error
        except (WebSocketException, OSError) as error:
            raise self._lost(error) from error

    def give_up(self, why: str) -> LinkError:
        """Close the connection to a server that misbehaves; returns the error to raise."""
        self._fail(f'{self.url} {why}')
        return LinkError(self._why)

    def close(self) -> None:
        """Close the connection; harmless without one."""
        self._connection = None
        with contextlib.suppress(WebSocketException, OSError):
            self._closing.close()

    def _connect(self) -> ClientConnection:
        try:
            opening = connect(
                self.url,
                additional_headers=self._headers,
                open_timeout=OPEN_S,
                close_timeout=CLOSE_S,
                ping_interval=self._keepalive_s,
                max_size=MAX_BYTES,
                compression=None,
                proxy=None,
            )
            return self._closing.enter_context(opening)
        except InvalidStatus as error:
            body = bytes(error.response.body or b'')[:200].decode('utf-8', 'replace').strip()
            raise LinkError(
                f'{self.url} refuses the connection with status {error.response.status_code}: {body or "no reason given"}'
            ) from error
        except (InvalidHandshake, InvalidURI) as error:
            raise LinkError(f'{self.url} is no WebSocket server: {error}') from error
        except TimeoutError as error:
            raise LinkError(f'{self.url} does not answer within {OPEN_S:g} s; is the server running?') from error
        except (OSError, EOFError, WebSocketException) as error:
            raise LinkError(f'{self.url} cannot be reached: {error}; is the server running?') from error

    def _live(self) -> ClientConnection:
        if self._connection is None:
            raise LinkError(f'{self.url} is not connected')
        return self._connection

    def _lost(self, error: Exception) -> LinkError:
        why = f'the server closed the connection ({error})' if isinstance(error, ConnectionClosed) else str(error)
        return self.give_up(f'is gone: {why}')

    def _fail(self, why: str) -> None:
        self.close()
        self._why = why
        self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))
        self._next_try = self._clock() + self._pause_s


def check_url(url: str, schemes: tuple[str, ...] = ('ws', 'wss')) -> str:
    """Return the address of a server.

    Raises:
        ConfigError: If it is not of one of the schemes, or names no host.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"url is '{url[:200]}'; it must look like {schemes[0]}://host:port")
    return url
