# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Starts the stop line beside operator_node. Token and port travel through a pipe, where no other user of the machine reads them."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress

from vera_core.errors import ConfigError

LEAVE_S = 2.0


class StopProcess:
    """The running stop line."""

    def __init__(self, *, namespace: str, token: str, port: int) -> None:
        """Start it and wait until it listens.

        Raises:
            ConfigError: If it does not; the text says why.
        """
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'vera_bringup.operator.stop_line'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({'namespace': namespace, 'token': token, 'port': port}) + '\n')
        self._process.stdin.flush()
        first = self._process.stdout.readline()
        answer = json.loads(first) if first.startswith('{') else {'error': 'it ended at once'}
        if 'port' not in answer:
            self.close()
            raise ConfigError(f'no page without its stop line: {answer["error"]}')
        self.port = int(answer['port'])

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it is there."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
