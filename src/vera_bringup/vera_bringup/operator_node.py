# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""operator_node: a page in the browser of this machine to work with the robot, and a stop that does not depend on it."""

from __future__ import annotations

import os
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from vera_bringup.operator.access import LOOPBACK, Access, new_token
from vera_bringup.operator.commands import parse_command
from vera_bringup.operator.feed import Feed
from vera_bringup.operator.messages import planner_now, safety_now, task_now
from vera_bringup.operator.model import OperatorModel
from vera_bringup.operator.page import make_page, page_config
from vera_bringup.operator.params import OperatorParams
from vera_bringup.operator.pictures import PictureBoard
from vera_bringup.operator.requests import Requests
from vera_bringup.operator.server import LoopbackServer
from vera_bringup.operator.stop_process import StopProcess
from vera_bringup.operator.streams import Streams
from vera_bringup.viewing.body import load_body
from vera_core.errors import VeraError
from vera_core.ros.alive import AliveWatch
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import STATUS, TASK
from vera_msgs.msg import PlannerStatus, SafetyStatus, Task

LIVE = '/live'
LOOK_S = 0.2
"""How often the node looks whether a page is open."""
WATCHED = ('planner_node', 'flow_node', 'jidm_node', 'controller_node', 'executive_node')


class OperatorNode(VeraNode[OperatorParams]):
    """Wires reports and pictures to the page, and the page's requests to the graph."""

    def __init__(self) -> None:
        super().__init__('operator_node', OperatorParams)

    def configure(self) -> None:
        """Open the page and its stop line.

        Raises:
            EmbodimentError: If the robot's description cannot be used.
            ConfigError: If a port is taken.
        """
        body = load_body(self.robot)
        self._model = OperatorModel(self.robot, body)
        self._board = PictureBoard(self.robot.view_names)
        self._streams = Streams(self, self.robot, self._model, self._board)
        self._safety_text = 'the controller has not reported'
        self._requests = Requests(self, self._model, lambda: self._safety_text)
        self._watch = AliveWatch(self, WATCHED, self._on_node)
        self.create_subscription(SafetyStatus, 'safety_status', self._on_safety, STATUS)
        self.create_subscription(PlannerStatus, 'planner_status', self._on_planner, STATUS)
        self.create_subscription(Task, 'task', lambda message: self._model.on_task(task_now(message)), TASK)
        token = new_token()
        self._stop_line = StopProcess(namespace=self.get_namespace(), token=token, port=self.params.stop_port)
        document, policy = make_page(page_config(self.robot, body, stop_port=self._stop_line.port))
        try:
            self._server = LoopbackServer(
                Access(token=token), port=self.params.port, path=LIVE, handler=self._serve, document=document, policy=policy
            )
        except VeraError:
            self._stop_line.close()
            raise
        self.create_timer(LOOK_S, self._look)
        self.beacon.say('the page is ready')
        # To the terminal only: what is logged travels on /rosout, and whoever has this address may move the arm.
        print(f'operator page: http://{LOOPBACK}:{self._server.port}/?token={token}', flush=True)

    def close(self) -> None:
        """End the page, its stop line and what waits for answers."""
        self._server.close()
        self._stop_line.close()
        self._requests.close()

    def _serve(self, connection: ServerConnection) -> None:
        """Serve one page: this thread reads its requests, another one sends what it shows."""
        gone = threading.Event()
        feed = Feed(self._model, self._board)

        def send() -> None:
            try:
                feed.run(connection.send, self.now_ns, gone.wait, 1.0 / self.params.page_rate_hz)
            except ConnectionClosed:
                pass
            except Exception as error:  # outermost frame of the thread: a page that stands still must not look alive
                self.get_logger().error(f'fault while showing, the page is let go: {type(error).__name__}: {error}')
                connection.close()

        threading.Thread(target=send, name='feed', daemon=True).start()
        try:
            for message in connection:
                try:
                    self._requests.submit(parse_command(message))
                except VeraError as error:
                    self._model.note('refused', str(error), self.now_ns())
        except ConnectionClosed:
            pass
        finally:
            gone.set()

    def _look(self) -> None:
        """Listen to pictures, joints and commands only while a page is open."""
        if not self._stop_line.is_running:
            self.get_logger().error('the stop line has ended; start this node again', throttle_duration_sec=2.0)
            self.beacon.say('the stop line has ended; start this node again')
        if self._server.visitors and not self._streams.is_open:
            self._streams.open()
            self.beacon.say('a page is open')
        elif self._streams.is_open and not self._server.visitors:
            self._streams.close()
            self.beacon.say('the page is ready')

    def _on_safety(self, message: SafetyStatus) -> None:
        self._safety_text = f"controller: '{message.text}'"
        self._model.on_safety(safety_now(message, self.robot), self.now_ns())

    def _on_planner(self, message: PlannerStatus) -> None:
        self._model.on_planner(planner_now(message), self.now_ns())

    def _on_node(self, name: str, alive: bool) -> None:  # signature of AliveWatch
        self._model.note('ok' if alive else 'lost', f'{name} is {"there" if alive else "gone"}', self.now_ns())


def main() -> int:
    """Run the node.

    It takes no part in the middleware's shared memory: a process that is stopped while it holds a lock there stops everybody else in it, and
    this one talks to browsers.
    """
    os.environ.setdefault('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')
    return run(OperatorNode)


if __name__ == '__main__':
    raise SystemExit(main())
