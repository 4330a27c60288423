# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fractions import Fraction

import pytest

from vera_core.errors import ConfigError
from vera_core.registry import Registry

PARTS = Registry('number', {'fraction': 'fractions:Fraction', 'broken': 'no_such_module_here:X', 'renamed': 'fractions:Bruch'})


def test_make_imports_and_passes_options():
    assert PARTS.make('fraction', numerator=1, denominator=4) == Fraction(1, 4)
    assert PARTS.names == ('broken', 'fraction', 'renamed')


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('fractoin', r"unknown number 'fractoin'; known: broken, fraction, renamed. Did you mean 'fraction'\?"),
        ('broken', "number 'broken' needs a package that cannot be imported: No module named 'no_such_module_here'"),
        ('renamed', "number 'renamed' points at fractions:Bruch, but fractions has no 'Bruch'"),
    ],
)
def test_errors_say_what_to_do(name, text):
    with pytest.raises(ConfigError, match=text):
        PARTS.make(name)


def test_entry_points_add_names_but_do_not_replace():
    registry = Registry('tool', {'pytest': 'fractions:Fraction'}, group='console_scripts')
    assert 'ruff' in registry.names or len(registry.names) > 1
    assert registry.factory('pytest') is Fraction
