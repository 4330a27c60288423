# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A managed node that copies pictures' stamps, with a camera it cannot do without and a model that may be missing."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from vera_core.errors import ConfigError
from vera_core.parameter import NodeParams, param
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import SENSOR, STREAM


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(NodeParams):
    robot: str = field(default='panda', metadata=param('robot to work for'))
    model: str = field(default='', metadata=param('file of the model'))


class Copier(VeraNode[Params]):
    def __init__(self) -> None:
        super().__init__('copier', Params)

    def configure(self) -> None:
        if self.params.model and not Path(self.params.model).exists():
            raise ConfigError(f'there is no model {self.params.model}; train one')
        self._out = self.create_publisher(Header, 'copies', STREAM)
        self.create_subscription(Image, 'camera', lambda message: self._out.publish(message.header), SENSOR)
        self.require('camera', 'no picture on camera; is the camera driver running?')
        self.create_timer(0.05, lambda: self._out.publish(Header(frame_id='tick')))

    def deactivate(self) -> None:
        self._out.publish(Header(frame_id='last words'))

    def close(self) -> None:
        print('closed', flush=True)


if __name__ == '__main__':
    sys.exit(run(Copier))
