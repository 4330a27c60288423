# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One port of the operator page on this machine's loopback: documents by HTTP, one websocket path, every request checked first."""

from __future__ import annotations

import http
import threading
from collections.abc import Callable

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from vera_bringup.operator.access import LOOPBACK, Access
from vera_core.errors import ConfigError

MAX_MESSAGE_BYTES = 8192
"""Pages send short sentences; what is longer ends the connection."""


class LoopbackServer:
    """Serves one document at `/` and hands websockets at one path to a handler, each in a thread of its own."""

    def __init__(
        self, access: Access, *, port: int, path: str, handler: Callable[[ServerConnection], None], document: bytes = b'', policy: str = ''
    ) -> None:
        """Listen, and serve from a thread.

        Args:
            access: Who may come in.
            port: TCP port; 0 for any that is free.
            path: Where the websocket is.
            handler: Called with every websocket that was let in; it is closed when this returns.
            document: What `/` answers; nothing is there when empty.
            policy: Content-Security-Policy of the document.

        Raises:
            ConfigError: If the port is taken.
        """
        self._access = access
        self._path = path
        self._document = document
        self._policy = policy
        try:
            self._server: Server = serve(
                handler, LOOPBACK, port, process_request=self._answer, compression=None, max_size=MAX_MESSAGE_BYTES, server_header=None
            )
        except OSError as error:
            raise ConfigError(
                f'port {port} of {LOOPBACK} cannot be used ({error.strerror}); give another port, or 0 for any free one'
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name=f'server{path}', daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.socket.getsockname()[1])

    @property
    def visitors(self) -> int:
        """Open websockets."""
        return len(self._server.connections)

    def close(self) -> None:
        """End all connections and free the port."""
        self._server.shutdown()
        self._thread.join(timeout=2.0)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return the HTTP answer, None to go on with the websocket."""
        denial = self._access.check(request.path, host=request.headers.get('Host', ''), origin=request.headers.get('Origin'))
        if denial is not None:
            return respond(denial.status, f'{denial.text}\n'.encode(), 'text/plain; charset=utf-8')
        place = request.path.split('?')[0]
        if place == self._path:
            return None
        if place == '/' and self._document:
            return respond(200, self._document, 'text/html; charset=utf-8', policy=self._policy)
        return respond(404, b'there is nothing here\n', 'text/plain; charset=utf-8')


def respond(status: int, body: bytes, kind: str, *, policy: str = '') -> Response:
    """Make an HTTP answer that is neither kept nor passed on: its address carries the token."""
    headers = Headers(
        {
            'Content-Type': kind,
            'Content-Length': str(len(body)),
            'Cache-Control': 'no-store',
            'Referrer-Policy': 'no-referrer',
            'X-Content-Type-Options': 'nosniff',
            'Connection': 'close',
        }
    )
    if policy:
        headers['Content-Security-Policy'] = policy
    return Response(status, http.HTTPStatus(status).phrase, headers, body)
