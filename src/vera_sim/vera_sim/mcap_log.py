# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""MCAP files with ROS 2 messages, written without a running ROS: `ros2 bag`, Foxglove and `mcap` read them."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from mcap_ros2.writer import Writer

from vera_core.shapes import FloatArray

_SEPARATOR = '=' * 80
_HEADER = f"""{_SEPARATOR}
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
{_SEPARATOR}
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
"""
_DEFINITIONS = {
    'sensor_msgs/msg/CompressedImage': f'std_msgs/Header header\nstring format\nuint8[] data\n{_HEADER}',
    'sensor_msgs/msg/JointState': f'std_msgs/Header header\nstring[] name\nfloat64[] position\nfloat64[] velocity\nfloat64[] effort\n{_HEADER}',
    'trajectory_msgs/msg/JointTrajectory': f"""std_msgs/Header header
string[] joint_names
trajectory_msgs/JointTrajectoryPoint[] points
{_SEPARATOR}
MSG: trajectory_msgs/JointTrajectoryPoint
float64[] positions
float64[] velocities
float64[] accelerations
float64[] effort
builtin_interfaces/Duration time_from_start
{_SEPARATOR}
MSG: builtin_interfaces/Duration
int32 sec
uint32 nanosec
{_HEADER}""",
}


def time_message(stamp_ns: int) -> dict[str, int]:
    """A builtin_interfaces Time or Duration."""
    return {'sec': stamp_ns // 1_000_000_000, 'nanosec': stamp_ns % 1_000_000_000}


class McapLog:
    """Writes images, joint states and trajectories to one MCAP file; use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._file = path.open('wb')
        self._writer = Writer(self._file)
        self._schemas = {name: self._writer.register_msgdef(name, text) for name, text in _DEFINITIONS.items()}

    def __enter__(self) -> McapLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._writer.finish()
        self._file.close()

    def metadata(self, name: str, values: dict[str, str]) -> None:
        """Add a record of words about the whole file."""
        # The ROS writer has no door for it; the plain writer it wraps has.
        self._writer._writer.add_metadata(name, values)

    def image(self, topic: str, stamp_ns: int, view: str, jpeg: bytes) -> None:
        """Add one compressed picture (JPEG bytes)."""
        self._write(
            topic,
            'sensor_msgs/msg/CompressedImage',
            stamp_ns,
            {'header': self._header(stamp_ns, f'{view}_optical_frame'), 'format': 'jpeg', 'data': jpeg},
        )

    def joint_state(self, topic: str, stamp_ns: int, names: list[str], position: FloatArray, velocity: FloatArray) -> None:
        """Add measured joints, rad and rad/s."""
        message = {
            'header': self._header(stamp_ns, ''),
            'name': names,
            'position': position.tolist(),
            'velocity': velocity.tolist(),
            'effort': [],
        }
        self._write(topic, 'sensor_msgs/msg/JointState', stamp_ns, message)

    def trajectory(
        self,
        topic: str,
        stamp_ns: int,
        names: list[str],
        times: FloatArray,
        positions: FloatArray,
        velocities: FloatArray,
        accelerations: FloatArray,
    ) -> None:
        """Add a command: P points of n joints."""
        points = [
            {
                'positions': q.tolist(),
                'velocities': v.tolist(),
                'accelerations': a.tolist(),
                'effort': [],
                'time_from_start': time_message(int(t * 1e9)),
            }
            for t, q, v, a in zip(times, positions, velocities, accelerations, strict=True)
        ]
        self._write(
            topic,
            'trajectory_msgs/msg/JointTrajectory',
            stamp_ns,
            {'header': self._header(stamp_ns, ''), 'joint_names': names, 'points': points},
        )

    def _header(self, stamp_ns: int, frame: str) -> dict[str, Any]:
        return {'stamp': time_message(stamp_ns), 'frame_id': frame}

    def _write(self, topic: str, kind: str, stamp_ns: int, message: dict[str, Any]) -> None:
        self._writer.write_message(topic, self._schemas[kind], message, log_time=stamp_ns, publish_time=stamp_ns)


__all__ = ['McapLog', 'time_message']
