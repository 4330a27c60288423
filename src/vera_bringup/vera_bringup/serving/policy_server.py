# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The policy service: VERA's wire protocol around our planner and inversion, so that its clients drive our stack."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed

from vera_bringup.serving.chunks import ChunkMaker
from vera_bringup.serving.policy_session import Answer, PolicySession
from vera_core.codec import decode, encode
from vera_core.errors import VeraError, WireError
from vera_core.policy_words import PolicyHello, hello_to_wire
from vera_planner.service.access import check_address
from vera_planner.service.door import Door

LOG = logging.getLogger(__name__)
SEND_S = 30.0
PING_S, PING_WAIT_S = 60.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """Where to listen and how much to take."""

    host: str = '127.0.0.1'
    port: int = 8000
    token: str = ''
    is_open: bool = False
    """Whether other machines may come without a token: VERA's own clients cannot send one."""
    max_clients: int = 4
    max_bytes: int = 128 * 2**20


class PolicyService:
    """Serves action chunks to several clients, each with its own state; one chunk is made at a time."""

    def __init__(self, make: Callable[[], ChunkMaker], hello: PolicyHello, settings: PolicySettings | None = None) -> None:
        self._settings = settings or PolicySettings()
        if not self._settings.is_open:
            check_address(self._settings.host, self._settings.token)
        self._make, self._hello = make, hello
        self._busy = asyncio.Lock()
        self._door = Door(self._serve, token=self._settings.token, max_clients=self._settings.max_clients)

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[Server]:
        """Serve while the context is open.

        Raises:
            ConfigError: If the port cannot be had.
        """
        settings = self._settings
        async with self._door.listen(
            settings.host, settings.port, max_bytes=settings.max_bytes, ping_s=PING_S, ping_wait_s=PING_WAIT_S
        ) as server:
            yield server

    async def _serve(self, connection: ServerConnection) -> None:
        try:
            session = PolicySession(await asyncio.to_thread(self._make), self._hello, time.monotonic)
            await self._send(connection, hello_to_wire(self._hello))
            async for data in connection:
                await self._send(connection, await self._answer(session, data))
        except (ConnectionClosed, TimeoutError):
            pass
        except VeraError as error:
            await self._refuse(connection, str(error))
        except Exception as error:
            # The outermost frame of this client: it is told and let go, the others stay.
            LOG.exception('a request failed')
            await self._refuse(connection, f'{type(error).__name__}: {error}')

    async def _answer(self, session: PolicySession, data: str | bytes) -> Answer:
        if isinstance(data, str):
            raise WireError(f'a text of {len(data)} characters was sent; requests are binary')
        message = decode(data, max_bytes=self._settings.max_bytes)
        async with self._busy:
            return await asyncio.to_thread(session.answer, message)

    async def _refuse(self, connection: ServerConnection, text: str) -> None:
        """Say why and close with 1011, as the protocol has it."""
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            await self._send(connection, text[:1000])
            await connection.close(1011, 'the request failed')

    @staticmethod
    async def _send(connection: ServerConnection, answer: Answer) -> None:
        await asyncio.wait_for(connection.send(answer if isinstance(answer, str) else encode(answer)), SEND_S)
