# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from vera_bringup.doctor import examine
from vera_bringup.health import listen
from vera_core.diagnostics import Level

pytestmark = pytest.mark.ros


@pytest.mark.parametrize('robot', ['panda', 'allegro'])
def test_it_speaks_of_the_robot_asked_for(ros_domain, robot):
    found = {finding.subject: finding for finding in examine(robot)}
    for subject in ('robots', 'Jacobian field weights', 'planner weights'):
        assert found[subject].ok, found[subject].text
        assert robot in found[subject].text.split(':')[0].split(',')[0]
    assert 'panda/field' not in found['Jacobian field weights'].text or robot == 'panda'
    assert found['running graph'].text == f'no node reports on /diagnostics in ROS_DOMAIN_ID {ros_domain}'


def test_it_tells_how_a_running_node_is(ros_domain, spawn):
    spawn('-m', 'vera_jidm.flow_node', name='flow')
    for _ in range(5):
        nodes = listen()
        if nodes and 'no picture' in nodes[0].text:
            break
    assert [(node.node, node.robot, node.level) for node in nodes] == [('flow_node', 'panda', Level.WARN)]
    assert nodes[0].text.startswith('waiting to become active: no picture on /camera/front/image_raw')
    assert nodes[0].values['in /camera/front/image_raw'] == 'nothing yet'
    assert nodes[0].lines().startswith('WARN: waiting to become active')
