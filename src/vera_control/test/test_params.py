# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from vera_control.params import ControllerParams, ExecutiveParams

pytest.importorskip('rclpy')

from vera_core.errors import ConfigError
from vera_core.ros.params import build, describe


@pytest.mark.parametrize('params', [ControllerParams, ExecutiveParams])
def test_every_parameter_is_described_and_its_default_fits(params: type):
    infos = describe(params)
    assert all(info.text for info in infos)
    assert build(params, {}) == params()
    for info in infos:
        assert info.convert(info.default) == info.default


def test_speed_scale_is_live_and_bounded():
    info = next(info for info in describe(ControllerParams) if info.name == 'speed_scale')
    assert info.live
    with pytest.raises(ConfigError, match=r'parameter speed_scale is 1\.5; .* in \[0, 1\]'):
        info.convert(1.5)
