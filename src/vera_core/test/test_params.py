# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter

from vera_core.errors import ConfigError
from vera_core.ros.params import Parameters, build, describe, param


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    robot: str = field(default='panda', metadata=param('robot to work for'))
    rate_hz: float = field(default=10.0, metadata=param('ticks per second', unit='Hz', low=1.0, high=100.0, live=True))
    low_px: float = field(default=1.0, metadata=param('lower threshold', unit='px', low=0.0, live=True))
    high_px: float = field(default=2.0, metadata=param('upper threshold', unit='px', live=True))
    tries: int = field(default=3, metadata=param('tries before giving up', low=1, high=9, live=True))
    strict: bool = field(default=True, metadata=param('refuse what is unusual'))
    views: tuple[str, ...] = field(default=(), metadata=param('views to use; empty: all', live=True))
    gains: tuple[float, ...] = field(default=(1.0, 2.0), metadata=param('gain per joint', low=0.0))

    def __post_init__(self):
        if self.low_px > self.high_px:
            raise ConfigError(f'low_px {self.low_px} is above high_px {self.high_px}; set both together')


def make(overrides=(), on_change=None):
    node = Node('example', parameter_overrides=[Parameter(name, value=value) for name, value in overrides])
    return node, Parameters(node, Example, on_change=on_change)


def test_defaults_and_overrides_become_one_dataclass(ros):
    node, params = make([('rate_hz', 20), ('views', ['front']), ('gains', [0.5, 1.0]), ('strict', False), ('use_sim_time', False)])
    assert params.value == Example(rate_hz=20.0, views=('front',), gains=(0.5, 1.0), strict=False)  # 20 was meant as 20.0
    assert node.get_parameter('tries').value == 3
    assert list(node.get_parameter('views').value) == ['front']
    node.destroy_node()


def test_descriptor_says_text_unit_bounds_and_fixed(ros):
    node, _ = make()
    rate = node.describe_parameter('rate_hz')
    assert (rate.description, rate.read_only) == ('ticks per second [Hz]', False)
    assert (rate.floating_point_range[0].from_value, rate.floating_point_range[0].to_value) == (1.0, 100.0)
    assert node.describe_parameter('robot').read_only
    assert node.describe_parameter('tries').integer_range[0].to_value == 9
    node.destroy_node()


@pytest.mark.parametrize(
    ('overrides', 'text'),
    [
        ([('rate_hz', 0.5)], r'parameter rate_hz is 0.5; a double in \[1, 100\] Hz is needed \(ticks per second\)'),
        ([('rate_hz', math.nan)], 'rate_hz is nan; a double'),
        ([('rate_hz', 'fast')], "rate_hz is 'fast', a str; a double"),
        ([('tries', 2.5)], r'tries is 2.5, a float; an integer in \[1, 9\] is needed'),
        ([('strict', 1)], 'strict is 1, a int; a bool'),
        ([('rate', 5.0)], r"unknown parameter 'rate'; known: .*Did you mean 'rate_hz'\?"),
        ([('low_px', 3.0)], 'low_px 3.0 is above high_px 2.0; set both together'),
        ([('gains', [1.0, -1.0])], r'gains is \(1.0, -1.0\); a double array in \[0, inf\]'),
    ],
)
def test_bad_start_values_are_refused_in_words(ros, overrides, text):
    with pytest.raises(ConfigError, match=text):
        make(overrides)


def test_live_change_is_taken_whole_or_not_at_all(ros):
    seen = []
    node, params = make(on_change=seen.append)
    assert node.set_parameters_atomically([Parameter('low_px', value=3.0), Parameter('high_px', value=4.0)]).successful
    assert (params.value.low_px, params.value.high_px) == (3.0, 4.0)
    assert seen == [params.value]
    refused = node.set_parameters_atomically([Parameter('tries', value=5), Parameter('high_px', value=1.0)])
    assert not refused.successful
    assert 'low_px 3.0 is above high_px 1.0' in refused.reason
    assert (params.value.tries, node.get_parameter('tries').value) == (3, 3)
    assert not node.set_parameters([Parameter('rate_hz', value=1000.0)])[0].successful
    assert not node.set_parameters([Parameter('robot', value='allegro')])[0].successful
    assert params.value.robot == 'panda'
    assert len(seen) == 1
    node.destroy_node()


def test_an_empty_list_takes_values_of_its_kind_and_becomes_empty_again(ros):
    node, params = make()
    assert node.set_parameters([Parameter('views', value=['front', 'side'])])[0].successful
    assert params.value.views == ('front', 'side')
    assert 'string array is needed' in node.set_parameters([Parameter('views', value=[1.0])])[0].reason
    assert node.set_parameters([Parameter('views', value=[])])[0].successful
    assert params.value.views == ()


def test_live_change_another_callback_refuses_does_not_arrive(ros):
    from rcl_interfaces.msg import SetParametersResult

    node, params = make()
    node.add_on_set_parameters_callback(lambda _: SetParametersResult(successful=False, reason='not now'))
    assert not node.set_parameters([Parameter('tries', value=4)])[0].successful
    assert params.value.tries == 3
    node.destroy_node()


def test_describe_refuses_fields_it_cannot_declare():
    @dataclass(frozen=True)
    class NoText:
        rate_hz: float = 1.0

    @dataclass(frozen=True)
    class BadType:
        table: dict[str, int] = field(default_factory=dict, metadata=param('a table'))

    with pytest.raises(TypeError, match=r'NoText.rate_hz needs a default and metadata=param'):
        describe(NoText)
    with pytest.raises(TypeError, match='BadType.table has type'):
        describe(BadType)


def test_build_works_without_a_node():
    assert build(Example, {'tries': 9}).tries == 9
    with pytest.raises(ConfigError, match='tries is 10'):
        build(Example, {'tries': 10})
