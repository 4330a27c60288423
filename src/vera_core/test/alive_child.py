# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A process with one beacon; with the argument `busy` it then keeps the interpreter lock for two seconds, again and again."""

from __future__ import annotations

import sys
import time

import rclpy
from rclpy.node import Node

from vera_core.ros.alive import AliveBeacon


def hold_the_interpreter_lock(duration_s: float) -> None:
    """Stay inside C calls that never give the lock away: sorting a list is one."""
    values = [float(-i) if i % 2 else float(i) for i in range(3_000_000)]
    begin = time.monotonic()
    while time.monotonic() - begin < duration_s:
        sorted(values)


def main() -> None:
    rclpy.init()
    node = Node('worker', namespace='vera')
    AliveBeacon(node, 'working')
    begin = time.monotonic()
    while time.monotonic() - begin < 1.5:
        rclpy.spin_once(node, timeout_sec=0.1)
    sys.setswitchinterval(100.0)
    while True:
        if 'busy' in sys.argv:
            print(f'busy {time.monotonic():.3f}', flush=True)
            hold_the_interpreter_lock(2.0)
            print(f'free {time.monotonic():.3f}', flush=True)
        rclpy.spin_once(node, timeout_sec=0.1)


if __name__ == '__main__':
    main()
