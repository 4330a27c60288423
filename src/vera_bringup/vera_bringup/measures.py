# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is measured on one task from its recorded messages: duty cycle and image-to-command latency. Plain arrays in, plain numbers out."""

from __future__ import annotations

import numpy as np

from vera_core.shapes import FloatArray

MOVING_RAD_S = 0.01
"""Above this norm of the joint velocities the arm counts as moving; rad/s. At rest the simulated arm stays an order of magnitude below."""


def duty_cycle(stamps_s: FloatArray, speeds_rad_s: FloatArray, start_s: float, end_s: float) -> float:
    """Return the share of the time from `start_s` to `end_s` in which the arm moves.

    Each sample speaks for the time until the next one; time without any sample counts as rest.

    Args:
        stamps_s: Rising times of the samples, shape (N,), s.
        speeds_rad_s: Norm of the joint velocities, shape (N,), rad/s.
        start_s: When the task was accepted, s.
        end_s: When it ended, s.
    """
    if len(stamps_s) < 2 or end_s <= start_s:
        return 0.0
    edges = np.clip(stamps_s, start_s, end_s)
    return float(np.sum(np.diff(edges)[speeds_rad_s[:-1] > MOVING_RAD_S]) / (end_s - start_s))


def image_to_command_latency(image_ns: list[int], published_ns: list[int], command_ns: list[int]) -> list[float]:
    """Return, per joint velocity estimate, the time from its picture to the first command issued after it was out, s.

    An estimate that was overtaken by the next one before any command went out has no command of its own and gives no value.

    Args:
        image_ns: Stamp of the picture each estimate was computed from, ns.
        published_ns: When each estimate was published, rising, ns.
        command_ns: When each command was issued, rising, ns.
    """
    commands = np.asarray(command_ns, dtype=np.int64)
    latencies: list[float] = []
    for index, published in enumerate(published_ns):
        first = int(np.searchsorted(commands, published))
        overtaken = index + 1 < len(published_ns) and first < len(commands) and commands[first] >= published_ns[index + 1]
        if first < len(commands) and not overtaken:
            latencies.append((int(commands[first]) - image_ns[index]) * 1e-9)
    return latencies
