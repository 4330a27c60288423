# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What holds for every parameter of every node."""

from __future__ import annotations

import math

import pytest

from vera_bringup.parameter_page import PARAMETER_CLASSES, declared
from vera_core.errors import ConfigError
from vera_core.ros.params import Parameter

INFOS = [(node, info) for node in PARAMETER_CLASSES for info in declared(node)]
NUMBERS = [entry for entry in INFOS if entry[1].kind.name.removesuffix('_ARRAY') in ('INTEGER', 'DOUBLE')]
UNITS = (('_rad_s', 'rad/s'), ('_m_s', 'm/s'), ('_s', 's'), ('_hz', 'Hz'), ('_rad', 'rad'), ('_px', 'px'))


def name_of(entry):
    return f'{entry[0]}-{entry[1].name}' if isinstance(entry, tuple) else None


@pytest.mark.parametrize('entry', INFOS, ids=name_of)
def test_it_has_a_text_and_the_unit_its_name_carries(entry):
    _, info = entry
    assert len(info.text) > 10
    assert info.text.endswith('...') or not info.text.endswith('.')
    for ending, unit in UNITS:
        if info.name.endswith(ending):
            assert info.unit.split(' ')[0] == unit  # px rms is px
            break


@pytest.mark.parametrize('entry', INFOS, ids=name_of)
def test_its_descriptor_says_the_same_to_ros(entry):
    _, info = entry
    made = info.descriptor()
    assert (made.name, made.type, made.read_only) == (info.name, info.kind.value, not info.live)
    assert info.text in made.description
    assert info.unit in made.description
    bounds = [*made.floating_point_range, *made.integer_range]
    if info.kind in (Parameter.Type.DOUBLE, Parameter.Type.INTEGER) and info.bounds:
        assert len(bounds) == 1
        assert info.low is None or bounds[0].from_value == info.low
        assert info.high is None or bounds[0].to_value == info.high


@pytest.mark.parametrize('entry', NUMBERS, ids=name_of)
def test_a_number_has_bounds_its_default_keeps_and_a_value_outside_is_refused_in_words(entry):
    _, info = entry
    assert info.low is not None or info.high is not None
    info.convert(info.default)
    outside = [
        value for value in (None if info.low is None else info.low - 1, None if info.high is None else info.high + 1) if value is not None
    ]
    for value in [*outside, math.nan]:
        given = value if info.kind.name.startswith('DOUBLE') or math.isnan(value) else int(value)
        with pytest.raises(ConfigError, match=f'parameter {info.name} is ') as refusal:
            info.convert((given,) if info.kind.name.endswith('_ARRAY') else given)
        assert info.text in str(refusal.value)
