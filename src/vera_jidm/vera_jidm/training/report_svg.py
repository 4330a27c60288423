# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Charts as SVG text: lines on a logarithmic scale, bars per joint, histograms of joints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from vera_core.shapes import FloatArray

COLOURS = ('#2563a8', '#c2571a', '#2f855a', '#8a4fa3', '#6b7280', '#b7791f')
"""One per series, in the order of the series."""
BINS = 24
"""Bars of a histogram."""
Points = Sequence[tuple[float, float]]


def line_chart(series: Mapping[str, Points], *, x_label: str, width: int = 640, height: int = 300) -> str:
    """Return curves over a common axis; the vertical axis is logarithmic, values at or below zero are left out."""
    points = {name: [(x, y) for x, y in line if y > 0 and math.isfinite(y)] for name, line in series.items()}
    points = {name: line for name, line in points.items() if line}
    if not points:
        return _svg(width, 40, [_text(8, 24, 'no values yet')])
    x_high = max(x for line in points.values() for x, _ in line) or 1.0
    y_low, y_high = _decade_range([y for line in points.values() for _, y in line])
    left, right, top, bottom = 56, width - 150, 12, height - 40

    def place(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(y) - math.log10(y_low)) / (math.log10(y_high) - math.log10(y_low))
        return left + (right - left) * x / x_high, bottom - (bottom - top) * share

    parts = [_text((left + right) / 2, height - 6, x_label, anchor='middle')]
    for tick in _ticks(y_low, y_high):
        y = place(0, tick)[1]
        parts += [_line(left, y, right, y), _text(left - 6, y + 4, f'{tick:g}', anchor='end')]
    for tick in np.linspace(0, x_high, 5):
        parts.append(_text(place(float(tick), y_low)[0], bottom + 16, f'{tick:.3g}', anchor='middle'))
    for number, (name, line) in enumerate(points.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = ' '.join('{:.1f},{:.1f}'.format(*place(x, y)) for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(right + 10, top + 14 + 20 * number, name, colour=colour))
    return _svg(width, height, parts)


def bar_chart(names: Sequence[str], series: Mapping[str, Sequence[float]], *, low: float = 0.0, width: int = 640) -> str:
    """Return a group of bars per name, from `low` to 1; shorter values are cut there, their number is written out."""
    left, right, bar, gap = 150, width - 60, 14, 8
    group = bar * len(series) + gap
    parts = [_line(x, 24, x, 24 + group * len(names)) for x in (left, left + (right - left) * (0 - low) / (1 - low), right)]
    for number, name in enumerate(series):
        parts.append(_text(left + 160 * number, 14, name, colour=COLOURS[number % len(COLOURS)]))
    for row, name in enumerate(names):
        parts.append(_text(left - 8, 24 + group * row + group / 2 + 1, name, anchor='end'))
        for number, values in enumerate(series.values()):
            top, share = 26 + group * row + bar * number, (max(values[row], low) - low) / (1 - low)
            length = max((right - left) * share, 1.0)
            colour = COLOURS[number % len(COLOURS)]
            parts.append(f'<rect x="{left}" y="{top}" width="{length:.1f}" height="{bar - 2}" fill="{colour}"/>')
            parts.append(_text(left + length + 4, top + bar - 4, f'{values[row]:.2f}'))
    return _svg(width, 30 + group * len(names), parts)


def histogram(name: str, values: FloatArray, lower: float, upper: float, *, width: int = 200, height: int = 96) -> str:
    """Return how often a joint was where between its limits, rad, and the share of that range in which it has been at all."""
    counts, _ = np.histogram(values, bins=BINS, range=(lower, upper))
    top, bottom, step = 18, height - 16, width / BINS
    share = float((counts > 0).mean())
    parts = [_text(2, 12, name), _text(width - 2, 12, f'{100 * share:.0f} % of the range', anchor='end')]
    for index, count in enumerate(counts / max(counts.max(), 1)):
        length = (bottom - top) * float(count)
        parts.append(
            f'<rect x="{index * step:.1f}" y="{bottom - length:.1f}" width="{step - 1:.1f}" height="{length:.1f}" fill="{COLOURS[0]}"/>'
        )
    parts.append(_line(0, bottom, width, bottom))
    parts += [_text(0, height - 3, f'{lower:.2f}'), _text(width, height - 3, f'{upper:.2f} rad', anchor='end')]
    return _svg(width, height, parts)


def _decade_range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return 0.9 * low, 1.1 * high if high > low else 10 * low


def _ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [tick for power in powers for tick in (10.0**power, 2 * 10.0**power, 5 * 10.0**power) if low <= tick <= high]


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>{"".join(parts)}</svg>'


def _text(x: float, y: float, text: str, *, anchor: str = 'start', colour: str = 'currentColor') -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _line(x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="currentColor" stroke-opacity="0.25"/>'
