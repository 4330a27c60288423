# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A node that tells in which order it lets go of rclpy's signal thread and its executor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from node_child import Ticker

from vera_core.ros import node
from vera_core.ros.lean_executor import LeanExecutor


def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        answer = function(*args, **options)
        print(f'ended: {name}', flush=True)
        return answer

    return call


if __name__ == '__main__':
    node.uninstall_signal_handlers = noted('signal thread', node.uninstall_signal_handlers)
    LeanExecutor.shutdown = noted('executor', LeanExecutor.shutdown)  # type: ignore[method-assign]
    sys.exit(node.run(Ticker))
