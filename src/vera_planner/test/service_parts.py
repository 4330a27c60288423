# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What tests of the planner service and of its client start from."""

from __future__ import annotations

from vera_planner.service.server import PlannerService, ServiceSettings
from vera_planner.service.words import Hello, hello_to_wire


def start(background, robot, make, **changes):
    """Start a service; returns its address."""
    service = PlannerService(robot, make, ServiceSettings(port=0, **changes))
    server = background(service.listen())
    return f'ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}'


def a_hello(robot):
    return Hello(robot=robot.name, views=robot.view_names, working_size=robot.working_size, model='m', plans_once=False)


def hello_of(robot, **changes):
    return hello_to_wire(a_hello(robot)) | changes
