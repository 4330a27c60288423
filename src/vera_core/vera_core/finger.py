# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The planar finger with any number of joints, for studies of how things grow with joints: a robot made by rule instead of by a file."""

from __future__ import annotations

import math
import re
from typing import Any

from vera_core.errors import EmbodimentError

FINGER_NAME = re.compile(r'finger_(\d+)')
MAX_JOINTS = 16
REACH_M = 0.30
"""From the base to the tip of the stretched finger, whatever the number of joints, m."""
BASE = (0.0, 0.0, 0.5)
"""Where the first joint is, m; the finger moves in the plane x = 0 and points up at zero."""
JOINT_RANGE_RAD = 1.2
_CAMERA_DISTANCE_M = 1.0
_MARGIN = 1.1
"""The picture's half edge over the reach: the finger fits in every pose."""


def finger_document(joint_count: int) -> dict[str, Any]:
    """Return the embodiment document of `finger_N`, laid out as a robot's YAML file.

    Poses spread less the more joints there are, so that a long finger does not roll itself up.

    Raises:
        EmbodimentError: If there are no such fingers.
    """
    if not 1 <= joint_count <= MAX_JOINTS:
        raise EmbodimentError(f'finger_{joint_count} has {joint_count} joints; fingers have 1 to {MAX_JOINTS}')
    spread = round(min(0.5, 1.1 / math.sqrt(joint_count)), 3)
    topic = '/camera/face'
    return {
        'name': f'finger_{joint_count}',
        'summary': f'planar finger, {joint_count} joints, one camera face-on',
        'base_frame': 'finger_base',
        'limit_scale': {'velocity': 0.5, 'acceleration': 0.5, 'jerk': 0.2},
        'joints': [
            {
                'name': f'finger_joint{i + 1}',
                'lower': -JOINT_RANGE_RAD,
                'upper': JOINT_RANGE_RAD,
                'velocity': 3.0,
                'acceleration': 30.0,
                'jerk': 3000.0,
            }
            for i in range(joint_count)
        ],
        'poses': {'home': [0.0] * joint_count},
        'working_size': [128, 128],
        'views': [{'name': 'face', 'image_topic': f'{topic}/image_raw', 'camera_info_topic': f'{topic}/camera_info'}],
        'driver': {'joint_states_topic': '/joint_states', 'command_topic': '/joint_trajectory_controller/joint_trajectory'},
        'simulation': {
            'model': 'finger',
            'scene': 'none',
            'base': {'position': list(BASE)},
            'servo': {'stiffness': 30.0, 'damping': 1.0},
            'cameras': {
                'face': {
                    'position': [_CAMERA_DISTANCE_M, 0.0, BASE[2]],
                    'target': list(BASE),
                    'fovy_deg': round(2 * math.degrees(math.atan(_MARGIN * REACH_M / _CAMERA_DISTANCE_M)), 3),
                }
            },
            'self_play': {'peak_speed': [1.0] * joint_count, 'spread': [spread] * joint_count},
        },
    }
