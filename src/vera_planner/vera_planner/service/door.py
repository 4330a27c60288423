# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The door of every WebSocket service: who may come in, how many, how much they may send at once, and where it listens."""

from __future__ import annotations

import contextlib
import http
from collections.abc import AsyncIterator, Awaitable, Callable

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from vera_core.errors import ConfigError
from vera_planner.service.access import is_allowed

PING_S, PING_WAIT_S = 20.0, 20.0
MAX_QUEUE = 4
"""Messages of a client that wait to be read; more are held back at the client."""


class Door:
    """Lets clients with the token in while there are places, and counts them."""

    def __init__(self, serve_client: Callable[[ServerConnection], Awaitable[None]], *, token: str, max_clients: int) -> None:
        self._serve_client = serve_client
        self._token = token
        self._max_clients = max_clients
        self._clients = 0

    @contextlib.asynccontextmanager
    async def listen(
        self, host: str, port: int, *, max_bytes: int, ping_s: float = PING_S, ping_wait_s: float = PING_WAIT_S
    ) -> AsyncIterator[Server]:
        """Serve while the context is open.

        Args:
            host: Address to listen on.
            port: Port, 0 for any.
            max_bytes: Longest message of a client, bytes.
            ping_s: Time between two looks whether a client is there, s.
            ping_wait_s: Time it has to answer, s.

        Raises:
            ConfigError: If the port cannot be had.
        """
        try:
            server = await serve(
                self._let_in,
                host,
                port,
                process_request=self._admit,
                max_size=max_bytes,
                max_queue=MAX_QUEUE,
                compression=None,
                ping_interval=ping_s,
                ping_timeout=ping_wait_s,
            )
        except OSError as error:
            raise ConfigError(f'cannot listen on {host}:{port}: {error}; choose another port') from error
        async with server:
            yield server

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if not is_allowed(request.headers.get('Authorization'), self._token):
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, 'the token is missing or wrong\n')
        if self._clients >= self._max_clients:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, f'all {self._max_clients} places are taken\n')
        return None

    async def _let_in(self, connection: ServerConnection) -> None:
        self._clients += 1
        try:
            await self._serve_client(connection)
        finally:
            self._clients -= 1
