# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The line that stops the arm, as a process of its own: it shares no thread, lock or interpreter with the page.

The page holds one websocket to it. `stop` calls the controller's service until it is answered; `hold` publishes one `deadman` true, so the page
has to repeat it while the button is held; `release` publishes false. It ends when its standard input does, that is with operator_node.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from rclpy.context import Context
from rclpy.node import Node
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from vera_bringup.asking import Asker, SessionError
from vera_bringup.operator.access import Access
from vera_bringup.operator.server import LoopbackServer
from vera_core.errors import ConfigError
from vera_core.ros.lean_executor import LeanExecutor
from vera_core.ros.qos import STREAM

PATH = '/stop'
ANSWER_S = 0.4
"""A stop that is not answered for this long is sent again: it may be sent any number of times."""
TRIES = 8
PRIORITY = 20
"""Real-time priority: it sleeps unless somebody stops or holds, and then nothing may come before it."""


class StopLine:
    """Stop and deadman between one page and the controller."""

    def __init__(self, *, namespace: str, token: str, port: int) -> None:
        """Join the graph and listen.

        Raises:
            ConfigError: If the port is taken.
        """
        self._context = Context()
        self._context.init(args=[])
        self._node = Node('stop_line', namespace=namespace, context=self._context, start_parameter_services=False, enable_rosout=False)
        self._stop = self._node.create_client(Trigger, 'stop')
        self._deadman = self._node.create_publisher(Bool, 'deadman', STREAM)
        self._executor = LeanExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._asker = Asker(self._executor, lambda: 'nothing is known about the arm; use the stop button of the robot', lambda _: False)
        self._running = True
        self._thread = threading.Thread(target=self._spin, name='stop', daemon=True)
        self._thread.start()
        try:
            self._server = LoopbackServer(Access(token=token), port=port, path=PATH, handler=self._serve)
        except ConfigError:
            self._leave()
            raise
        self.port = self._server.port

    def close(self) -> None:
        """Hang up and leave the graph."""
        self._server.close()
        self._leave()

    def _leave(self) -> None:
        self._running = False
        self._executor.wake()
        self._thread.join(timeout=2.0)
        self._executor.shutdown(timeout_sec=1.0)
        self._context.try_shutdown()

    def _spin(self) -> None:
        while self._running:
            self._executor.spin_once(timeout_sec=0.5)

    def _serve(self, connection: ServerConnection) -> None:
        """Read one page's words until it is gone; a page that goes while it holds the button has let go of it."""
        actions: dict[str, Callable[[], str]] = {
            'stop': self.stop,
            'hold': partial(self._hold, True),
            'release': partial(self._hold, False),
            'ping': lambda: 'pong' if self._stop.service_is_ready() else 'no service stop',
        }
        is_held = False
        try:
            for message in connection:
                word = message if isinstance(message, str) else ''
                act = actions.get(word, lambda: 'unknown word')
                is_held = word == 'hold' or (is_held and word != 'release')
                connection.send(json.dumps({'word': word, 'answer': act()}))
        except ConnectionClosed:
            pass
        finally:
            if is_held:
                self._hold(False)

    def stop(self) -> str:
        """Stop the arm; return what the controller answered, or that it did not."""
        for _ in range(TRIES):
            try:
                answer = self._asker.ask(partial(self._stop.call_async, Trigger.Request()), timeout_s=ANSWER_S, what='service stop')
            except SessionError:
                continue
            return str(answer.message)
        return f'NOT STOPPED: the controller did not answer {TRIES} requests; use the stop button of the robot'

    def _hold(self, is_held: bool) -> str:
        self._deadman.publish(Bool(data=is_held))
        return 'held' if is_held else 'released'


def come_first() -> None:
    """Ask the kernel to run this process before all others; where that is not allowed it runs like any other."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))


def main() -> int:
    """Read the settings from the first line of standard input, say the port, serve until standard input ends."""
    settings = json.loads(sys.stdin.readline())
    come_first()
    try:
        line = StopLine(namespace=settings['namespace'], token=settings['token'], port=settings['port'])
    except ConfigError as error:
        print(json.dumps({'error': str(error)}), flush=True)
        return 2
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a launcher's Ctrl-C; the line is there until operator_node has gone
    print(json.dumps({'port': line.port}), flush=True)
    sys.stdin.read()
    line.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
