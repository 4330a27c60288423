# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from dataclasses import dataclass, field

from vera_core.parameter import NodeParams, param
from vera_core.ros.node import VeraNode, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(NodeParams):
    robot: str = field(default='panda', metadata=param('robot to work for'))
    period_s: float = field(default=0.1, metadata=param('time between ticks', unit='s', low=0.01, high=1.0))


class Ticker(VeraNode[Params]):
    def __init__(self) -> None:
        super().__init__('ticker', Params)
        print(f'in namespace {self.get_namespace()} for {self.robot.name}', flush=True)

    def configure(self) -> None:
        self.create_timer(self.params.period_s, self.tick)

    def tick(self) -> None:
        print('ticking', flush=True)

    def close(self) -> None:
        print('closed', flush=True)


if __name__ == '__main__':
    sys.exit(run(Ticker))
