# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The page a training ends with: one HTML file with curves, pictures, figures and how they were made; opens anywhere, loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import cv2
import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.shapes import FloatArray, RgbArray
from vera_jidm.overlay import draw_flow, field_mosaic
from vera_jidm.training.evaluation import IdmReport
from vera_jidm.training.report_evidence import Evidence, Sample
from vera_jidm.training.report_svg import bar_chart, histogram, line_chart

NOT_CURVES = {'elapsed_s', 'pictures'}
"""Entries of the history that are no losses."""
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1080px; margin: 2rem auto; padding: 0 1rem; color: #1f2937; background: #fff; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid #d1d5db; }
table { border-collapse: collapse; margin: .6rem 0; } th, td { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; } td.n { text-align: right; font-variant-numeric: tabular-nums; } code { overflow-wrap: anywhere; }
figure { display: inline-block; margin: .4rem .8rem .4rem 0; } figcaption { font-size: .85rem; color: #4b5563; }
img { image-rendering: pixelated; max-width: 100%; display: block; } .joints svg { margin: .3rem 1rem .3rem 0; }
@media (prefers-color-scheme: dark) {
  body { color: #e5e7eb; background: #111827; } figcaption { color: #9ca3af; } h2 { border-color: #374151; }
}
"""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReportInput:
    """Everything the page is made of."""

    robot: Embodiment
    metadata: Mapping[str, Any]
    """What is stored beside the weights."""
    history: Sequence[Mapping[str, float]]
    """One entry per check."""
    positions: FloatArray
    """Joints at the moments of the training, shape (N, n), rad."""
    evidence: Evidence
    figures: IdmReport | None


def render_report(content: ReportInput) -> str:
    """Return the page as HTML text."""
    robot, labels = content.robot, str(content.metadata.get('labels', 'unknown'))
    title = f'Jacobian field of {robot.name}'
    sections = [
        f'<h1>{escape(title)}</h1><p>{escape(robot.summary)}</p>',
        _summary(content, labels),
        _section(
            'Learning', 'Losses over core time; those of unseen recordings are 1.0 for a field that is zero everywhere.', [_curves(content)]
        ),
        _section(
            'Field',
            'Image motion of every joint on held-out pictures: hue is the direction a cell moves, strength how far per radian.',
            [_field_figures(sample) for sample in content.evidence.samples],
        ),
        _section(
            'Flow', 'A joint step as the flow estimator saw it, and as the field predicts it.', map(_flow_figures, content.evidence.samples)
        ),
        _section(
            'Recovered joint motion',
            'R² per joint on held-out pairs, all views; 1: exact, 0: as good as no motion.',
            [_joint_bars(content)],
        ),
        _section('Coverage of joint space', 'Where self-play has been between the limits of each joint.', [_coverage(content)]),
        _tables(content.figures) if content.figures else '',
        _section('How it was made', '', [_table(('', ''), sorted(_flat(content.metadata)))]),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{STYLE}</style>'
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{"".join(sections)}</body></html>\n'


def _summary(content: ReportInput, labels: str) -> str:
    r2 = content.evidence.r2_joints()
    weakest = int(np.argmin(r2))
    rows = [
        ('labels', labels),
        (
            'training',
            f'{float(content.metadata.get("training_core_s", 0)) / 60:.1f} core minutes, {content.metadata.get("steps", 0)} steps',
        ),
        (
            'recovered joint step',
            f'cosine {content.evidence.cosine():.3f} on {len(content.evidence.measured)} held-out pairs, estimated flow',
        ),
        ('weakest joint', f'{content.robot.joint_names[weakest]}, R² {r2[weakest]:.2f}'),
    ]
    if content.figures:
        rows.insert(2, ('field', f'R² {content.figures.accuracy["all"].r2:.3f} on {content.figures.pairs} held-out moments'))
    return _table(('', ''), rows)


def _curves(content: ReportInput) -> str:
    names = dict.fromkeys(name for entry in content.history for name in entry if name not in NOT_CURVES)
    series = {name: [(entry['elapsed_s'] / 60, entry[name]) for entry in content.history if name in entry] for name in names}
    titles = {'loss': 'training loss'}
    return line_chart({titles.get(name, f'unseen: {name}'): line for name, line in series.items()}, x_label='core time, min')


def _field_figures(sample: Sample) -> str:
    columns = min(4, sample.predicted.jacobian.shape[3])
    parts = [_figure(field_mosaic(sample.picture, sample.predicted, columns=columns), f'{sample.view}: predicted')]
    if sample.exact is not None:
        parts.append(_figure(field_mosaic(sample.picture, sample.exact, columns=columns), f'{sample.view}: exact'))
    return f'<div>{"".join(parts)}</div>'


def _flow_figures(sample: Sample) -> str:
    trust = np.rint(255 * sample.predicted.confidence.clip(0, 1)).astype(np.uint8)
    grey = cv2.resize(trust, sample.picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)[..., None].repeat(3, axis=2)
    parts = (
        _figure(draw_flow(sample.picture, sample.seen_flow, sample.seen_trust), f'{sample.view}: seen'),
        _figure(draw_flow(sample.picture, sample.predicted_flow), f'{sample.view}: predicted'),
        _figure(draw_flow(grey, np.zeros_like(sample.predicted_flow)), f'{sample.view}: trust of the field'),
    )
    return f'<div>{"".join(parts)}</div>'


def _joint_bars(content: ReportInput) -> str:
    series = {'estimated flow': content.evidence.r2_joints().tolist()}
    if content.figures:
        views = len(content.robot.view_names)
        series['exact flow'] = list(content.figures.find('learned', 'exact', views).r2_joints)
        series['exact flow, exact field'] = list(content.figures.find('analytic', 'exact', views).r2_joints)
    return bar_chart(content.robot.joint_names, series)


def _coverage(content: ReportInput) -> str:
    lower, upper = content.robot.limits('lower'), content.robot.limits('upper')
    charts = [
        histogram(name, content.positions[:, joint], float(lower[joint]), float(upper[joint]))
        for joint, name in enumerate(content.robot.joint_names)
    ]
    return f'<div class="joints">{"".join(charts)}</div>'


def _tables(figures: IdmReport) -> str:
    joints = [f'J{number}' for number in range(1, len(figures.accuracy['all'].r2_joints) + 1)]
    truth = [
        (view, f'{row.r2:.3f}', f'{row.normalised_loss:.3f}', *(f'{value:.2f}' for value in row.r2_joints))
        for view, row in figures.accuracy.items()
    ]
    motion = [
        (
            row.field,
            row.flow,
            ' + '.join(row.views),
            f'{row.cosine:.3f}',
            f'{row.relative_error:.2f}',
            *(f'{r2:.2f}' for r2 in row.r2_joints),
        )
        for row in figures.recovery
    ]
    return _section(
        'Figures',
        f'{figures.pairs} held-out pairs; mean exact flow on the robot {figures.mean_flow_px:.1f} px; ridge {figures.ridge:g} px²/rad².',
        [
            _table(('view', 'R² of the field', 'loss', *joints), truth),
            _table(('field', 'flow', 'views', 'cosine', 'relative error', *(f'R² {joint}' for joint in joints)), motion),
        ],
    )


def _section(title: str, text: str, parts: Iterable[str]) -> str:
    return f'<h2>{escape(title)}</h2><p>{escape(text)}</p>{"".join(parts)}'


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = ''.join(f'<th>{escape(header)}</th>' for header in headers)
    body = ''.join(f'<tr>{"".join(_cell(cell) for cell in row)}</tr>' for row in rows)
    return f'<table>{f"<tr>{head}</tr>" if any(headers) else ""}{body}</table>'


def _cell(text: str) -> str:
    number = text.replace('.', '').replace('-', '').isdigit()
    return f'<td class="n">{text}</td>' if number else f'<td>{escape(text)}</td>'


def _figure(rgb: RgbArray, caption: str) -> str:
    _, png = cv2.imencode('.png', rgb[..., ::-1])
    data = base64.b64encode(png.tobytes()).decode()
    return f'<figure><img src="data:image/png;base64,{data}" alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'


def _flat(document: Mapping[str, Any], prefix: str = '') -> Iterable[tuple[str, str]]:
    """Yield every plain value of the metadata under its dotted name; figures have their own tables."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            if name != 'figures':
                yield from _flat(value, f'{prefix}{name}.')
        else:
            yield f'{prefix}{name}', ', '.join(map(str, value)) if isinstance(value, list | tuple) else str(value)
