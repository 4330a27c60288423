# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A planner behind a WebSocket: one dream at a time on this machine, one order in hand and one waiting per client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed

from vera_core.codec import decode, encode, field
from vera_core.embodiment import Embodiment
from vera_core.errors import PlanningError, VeraError, WireError
from vera_planner.planner import VideoPlanner
from vera_planner.service.access import check_address
from vera_planner.service.door import Door
from vera_planner.service.session import Session
from vera_planner.service.words import Hello, Order, hello_to_wire, order_from_wire, plan_to_wire

LOG = logging.getLogger(__name__)
PROGRESS_S = 0.5
SEND_S = 30.0
"""A client that does not take an answer in this time is cut off."""
MAX_ERRORS = 5
"""A client that sends this many messages that cannot be read is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """Where to listen and how much to take."""

    host: str = '127.0.0.1'
    port: int = 8765
    token: str = ''
    max_clients: int = 4
    max_bytes: int = 64 * 2**20
    """Longest message of a client, bytes."""


class PlannerService:
    """Serves plans to several clients."""

    def __init__(self, robot: Embodiment, make: Callable[[], VideoPlanner], settings: ServiceSettings | None = None) -> None:
        """Make the first planner, so that weights that do not fit end the server at once.

        Args:
            robot: Its views and working size are what clients must send.
            make: Makes a planner. Each client has its own, unless a planner says `is_shared` (big models keep nothing between requests).
            settings: Address, token, limits.

        Raises:
            ConfigError: If the address is open to other machines without a token.
            VeraError: If the planner cannot be made.
        """
        self._settings = settings or ServiceSettings()
        check_address(self._settings.host, self._settings.token)
        self._make = make
        self._idle: VideoPlanner | None = make()
        self._shared = self._idle if getattr(self._idle, 'is_shared', False) else None
        self._hello = Hello(
            robot=robot.name,
            views=robot.view_names,
            working_size=robot.working_size,
            model=self._idle.name,
            plans_once=bool(getattr(self._idle, 'plans_once', False)),
        )
        self._dreaming = asyncio.Lock()
        self._door = Door(self._serve, token=self._settings.token, max_clients=self._settings.max_clients)

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[Server]:
        """Serve while the context is open.

        Raises:
            ConfigError: If the port cannot be had.
        """
        settings = self._settings
        async with self._door.listen(settings.host, settings.port, max_bytes=settings.max_bytes) as server:
            yield server

    async def _serve(self, connection: ServerConnection) -> None:
        try:
            session = Session(planner=await self._planner())
            await _send(connection, hello_to_wire(self._hello))
            LOG.info('client %s is here', connection.remote_address)
            await self._converse(connection, session)
        except VeraError as error:
            LOG.error('client %s cannot be served: %s', connection.remote_address, error)
            await connection.close(1011, str(error)[:100])
        except (ConnectionClosed, TimeoutError):
            pass
        finally:
            LOG.info('client %s is gone', connection.remote_address)

    async def _planner(self) -> VideoPlanner:
        if self._shared is not None:
            return self._shared
        ready, self._idle = self._idle, None
        return ready if ready is not None else await asyncio.to_thread(self._make)

    async def _converse(self, connection: ServerConnection, session: Session) -> None:
        worker = asyncio.create_task(self._work(connection, session))
        errors = 0
        try:
            async for data in connection:
                try:
                    await self._take(connection, session, data)
                except WireError as error:
                    errors += 1
                    await _send(connection, {'type': 'failed', 'id': 0, 'text': str(error)})
                    if errors >= MAX_ERRORS:
                        await connection.close(1002, f'{errors} messages could not be read')
        finally:
            session.end()
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed, TimeoutError):
                await worker

    async def _take(self, connection: ServerConnection, session: Session, data: str | bytes) -> None:
        if isinstance(data, str):
            raise WireError(f'a text of {len(data)} characters was sent; messages are binary')
        message = decode(data, max_bytes=self._settings.max_bytes)
        kind = field(message, 'type', str)
        if kind == 'cancel':
            dropped = session.cancel(field(message, 'id', int))
            why = 'the client does not want it any more'
        elif kind == 'plan':
            try:
                order = order_from_wire(message, self._hello)
            except WireError as error:
                number = message.get('id')
                await _send(connection, {'type': 'refused', 'id': number if isinstance(number, int) else 0, 'text': str(error)})
                return
            dropped, why = session.put(order, asyncio.get_running_loop().time()), 'a newer request took its place'
        else:
            raise WireError(f"a message has type '{kind[:40]}'; known: cancel, plan")
        if dropped is not None:
            await _send(connection, _dropped(dropped, why))

    async def _work(self, connection: ServerConnection, session: Session) -> None:
        while True:
            order, due = await session.take()
            async with self._dreaming:
                answer = await self._dream(connection, session.planner, order, due)
            session.running = None
            try:
                await _send(connection, answer)
            except WireError as error:
                await _send(connection, {'type': 'failed', 'id': order.request_id, 'text': str(error)})

    async def _dream(self, connection: ServerConnection, planner: VideoPlanner, order: Order, due: float) -> Mapping[str, Any]:
        loop, watch = asyncio.get_running_loop(), order.request.watch
        begin = loop.time()
        if begin >= due:
            return _dropped(order, f'it waited longer than {order.deadline_s:g} s')
        if watch.is_cancelled:
            return _dropped(order, 'a newer request took its place')
        dream = asyncio.create_task(asyncio.to_thread(planner.plan, order.request))
        try:
            while not (await asyncio.wait({dream}, timeout=PROGRESS_S))[0]:
                if loop.time() >= due:
                    watch.cancel()
                await _send(connection, {'type': 'progress', 'id': order.request_id, 'progress': watch.progress})
            plan = replace(dream.result(), inference_s=loop.time() - begin)
        except PlanningError as error:
            return (
                _dropped(order, str(error))
                if order.request.watch.is_cancelled
                else {'type': 'refused', 'id': order.request_id, 'text': str(error)}
            )
        except (ConnectionClosed, TimeoutError, asyncio.CancelledError):
            watch.cancel()
            # The next dream must not begin beside this one: a thread cannot be stopped, only asked.
            with contextlib.suppress(Exception):
                await dream
            raise
        except Exception as error:
            # The outermost frame of this dream: its client is told, the others go on.
            LOG.exception('a dream failed')
            return {'type': 'failed', 'id': order.request_id, 'text': f'{type(error).__name__}: {str(error)[:500]}'}
        return plan_to_wire(plan, order.request_id)


def _dropped(order: Order, why: str) -> dict[str, Any]:
    return {'type': 'dropped', 'id': order.request_id, 'text': why}


async def _send(connection: ServerConnection, message: Mapping[str, Any]) -> None:
    await asyncio.wait_for(connection.send(encode(message)), SEND_S)
