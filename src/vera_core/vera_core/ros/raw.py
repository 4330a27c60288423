# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages of raw subscriptions and files: what the middleware did not look at is read here."""

from __future__ import annotations

from typing import Any

from rclpy._rclpy_pybind11 import RCLError, RMWError
from rclpy.serialization import deserialize_message

from vera_core.errors import WireError


def read_raw(data: bytes, kind: Any) -> Any:
    """Return the message of type `kind` in serialised bytes.

    Raises:
        WireError: If the bytes are no such message.
    """
    try:
        return deserialize_message(data, kind)
    except (RCLError, RMWError) as error:
        raise WireError(f'{len(data)} bytes are no {kind.__name__}: {str(error)[:200]}') from error
