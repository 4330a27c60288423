# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_core.types import JacobianField
from vera_jidm.training.report_evidence import Evidence, Sample
from vera_jidm.training.report_page import ReportInput, render_report
from vera_jidm.training.report_svg import bar_chart, histogram, line_chart

VOID = {'meta', 'img', 'br'}


class Balance(HTMLParser):
    """Fails on a tag that is closed in the wrong place; remembers pictures and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures: list[str] = []
        self.text = ''

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == 'img':
            self.pictures.append(dict(attrs)['src'] or '')
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _content(*, exact: bool) -> ReportInput:
    robot, rng = load_embodiment('panda'), np.random.default_rng(0)
    field = JacobianField(
        view='front', jacobian=rng.normal(size=(32, 32, 2, 7)).astype(np.float32), confidence=np.ones((32, 32), np.float32), stride=4
    )
    sample = Sample(
        view='front',
        picture=rng.integers(0, 255, (128, 128, 3), dtype=np.uint8),
        predicted=field,
        exact=field if exact else None,
        seen_flow=np.ones((128, 128, 2), np.float32),
        seen_trust=np.ones((128, 128), np.float32),
        predicted_flow=np.zeros((128, 128, 2), np.float32),
    )
    measured = rng.normal(size=(20, 7))
    recovered = 0.5 * measured
    recovered[:, 3] = 0
    return ReportInput(
        robot=robot,
        metadata={'labels': 'estimated', 'command': 'vera train idm <x>', 'losses': {'weights': {'flow': 1.0}}, 'training_core_s': 90.0},
        history=[{'elapsed_s': 60.0 * step, 'pictures': step, 'loss': 1 / step, 'flow': 0.5 / step, 'score': 1.0} for step in (1, 2, 3)],
        positions=np.tile(robot.home, (10, 1)),
        evidence=Evidence(samples=(sample,), measured=measured, recovered=recovered),
        figures=None,
    )


@pytest.mark.parametrize(('exact', 'pictures'), [(False, 4), (True, 5)])
def test_page_is_whole_and_loads_nothing(*, exact: bool, pictures: int) -> None:
    html = render_report(_content(exact=exact))
    page = Balance()
    page.feed(html)
    assert page.open == []
    assert len(page.pictures) == pictures
    png = base64.b64decode(page.pictures[0].removeprefix('data:image/png;base64,'))
    assert cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).shape == (256, 512, 3)
    assert not re.findall(r'(?:src|href)="(?!data:)', html)
    assert 'vera train idm <x>' in page.text
    assert 'losses.weights.flow' in page.text
    assert 'panda_joint4, R² 0.00' in page.text
    assert 'unseen: flow' in page.text


def test_half_of_every_step_leaves_three_quarters_of_r2_and_the_direction() -> None:
    measured = np.array([[1.0, 2.0], [-3.0, 1.0]])
    evidence = Evidence(samples=(), measured=measured, recovered=measured / 2)
    np.testing.assert_allclose(evidence.r2_joints(), [0.75, 0.75])
    assert evidence.cosine() == pytest.approx(1.0)


def test_curves_leave_out_what_a_logarithm_cannot_show() -> None:
    chart = line_chart({'a': [(0, 1.0), (1, 0.1), (2, 0.0)], 'b': [(0, float('nan'))]}, x_label='min')
    assert re.findall(r'points="([^"]*)"', chart)[0].count(',') == 2
    assert '>b<' not in chart
    assert 'no values yet' in line_chart({}, x_label='min')
    # One value makes an axis too.
    assert line_chart({'a': [(0, 0.5)]}, x_label='min').count('<polyline') == 1


def test_bars_are_as_long_as_their_values() -> None:
    chart = bar_chart(['one', 'two'], {'r2': [1.0, -3.0]})
    widths = [float(width) for width in re.findall(r'<rect [^>]*width="([\d.]+)"', chart)]
    assert widths == [430, 1]
    assert '>-3.00<' in chart


def test_histogram_tells_the_share_of_the_range() -> None:
    chart = histogram('joint', np.linspace(-1, 0, 500, endpoint=False), -1.0, 1.0)
    assert '50 % of the range' in chart
    heights = [float(height) for height in re.findall(r'<rect [^>]*height="([\d.]+)"', chart)]
    assert heights.count(0) == 12
