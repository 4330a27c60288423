# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from vera_control.watchdog import FollowWatch, NodeWatch, StreamWatch, explain_lost

S = 1_000_000_000


def test_stream_is_neither_old_nor_fresh_before_its_first_message():
    watch = StreamWatch(('a', 'b'))
    assert watch.ages_s(5 * S) == (-1.0, -1.0)
    assert not watch.is_fresh('a', 5 * S, 100.0)


def test_stream_ages_with_the_clock():
    watch = StreamWatch(('a', 'b'))
    watch.mark('a', 5 * S)
    assert watch.ages_s(5 * S + S // 2) == (0.5, -1.0)
    assert watch.is_fresh('a', 5 * S + S // 4, 0.25)
    assert not watch.is_fresh('a', 5 * S + S // 4 + 1, 0.25)


def test_node_never_seen_is_not_lost_and_one_that_came_back_is_not_either():
    watch = NodeWatch(('planner_node', 'flow_node'))
    watch.report('planner_node', is_alive=False)
    watch.report('stranger', is_alive=True)
    assert watch.lost == ()
    watch.report('flow_node', is_alive=True)
    watch.report('flow_node', is_alive=False)
    assert watch.lost == ('flow_node',)
    watch.report('flow_node', is_alive=True)
    assert watch.lost == ()


def test_lost_nodes_are_named_in_a_sentence():
    assert explain_lost(['flow_node']).startswith('flow_node is gone')
    assert explain_lost(['flow_node', 'jidm_node']).startswith('flow_node, jidm_node are gone')


def test_arm_is_not_following_only_after_some_time_beyond_the_bound():
    watch = FollowWatch(bound_rad=0.1, patience_s=0.25)
    away = np.array([0.0, 0.2])
    assert not watch.update(away, np.zeros(2), 0)
    assert not watch.update(away, np.zeros(2), S // 4)
    assert watch.update(away, np.zeros(2), S // 4 + 1)
    assert watch.worst_joint == 1
    assert not watch.update(np.zeros(2), np.zeros(2), S)
    assert not watch.update(away, np.zeros(2), S + 1)
