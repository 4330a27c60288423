# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Does the check before the first step tell dreams this robot can follow from dreams it cannot?

    python benchmarks/plan_refusal.py --good 200 --spoiled 200 --json refusal.json      # with the calibration that ships; some 6 min of one core
    python benchmarks/plan_refusal.py --fit --good 200 --spoiled 200                    # makes that calibration anew, from other seeds

Good: dreams of the embedded planner from rest and in mid motion, films of the expert, films of random motions, in simulated scenes. Spoiled:
`vera_bringup/dreams` breaks one thing each. Fit and test draw from different seeds, none of which the planner or the field was trained on. AUROC:
probability that a good dream scores higher than a spoiled one. Time is that of one core for the check alone.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from vera_bringup.dreams import GOOD, SPOILED, GoodDreams, Sample, spoil
from vera_core.embodiment import load_embodiment
from vera_core.errors import PlanningError
from vera_core.shapes import FloatArray
from vera_jidm.executability import Calibration, Moment, PlanCheck, load_calibration
from vera_jidm.executability.calibration import SHIPPED, doubts_of, fit, save_calibration
from vera_jidm.executability.measures import FEATURES
from vera_jidm.jacobian.learned import LearnedField
from vera_planner.backends.embedded import EmbeddedPlanner

FIT_SEEDS, TEST_SEEDS = 2**33, 2**34
"""Seeds of scenes, starts and spoiling begin here; a run's own seed is added a million times."""
SPOILED_FROM = 500_000
ANOTHER_SCENE, MOST_SCENES = 250_000, 5
REFUSED_SHARE = 0.04
"""Share of the good dreams of the fit that are refused: below the 5 % that are allowed, because other seeds differ."""

UNFITTED = Calibration(weights=dict.fromkeys(FEATURES, 1.0), usual=dict.fromkeys(FEATURES, 0.0), offset=3.0, least_score=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One dream and what the check says."""

    kind: str
    group: str
    seed: int
    is_good: bool
    score: float
    is_refused: bool
    reason: str
    check_ms: float
    values: Mapping[str, float]
    may_rest: bool = False


def samples(good: Sequence[str], spoiled: Sequence[str], first_seed: int) -> Iterator[tuple[str, int, bool, Sample]]:
    """Yield group, seed, whether it is good, and the sample, for the groups named; by turns, so that a run that is cut short says something."""
    with_hand = GoodDreams(load_embodiment('allegro'))
    foreign = with_hand.make('random film', first_seed).plan.frames
    with_hand.close()
    robot = load_embodiment('panda')
    dreams = GoodDreams(robot, EmbeddedPlanner(robot))
    for index in range(max(len(good), len(spoiled))):
        if index < len(good):
            seed = first_seed + index
            yield good[index], seed, True, made(dreams, good[index], seed)
        if index < len(spoiled):
            seed = first_seed + SPOILED_FROM + index
            base = made(dreams, GOOD[index // len(SPOILED) % len(GOOD)], seed)
            yield spoiled[index], seed, False, spoil(spoiled[index], base, dreams.world, foreign, seed)
    dreams.close()


def made(dreams: GoodDreams, kind: str, seed: int) -> Sample:
    """Return a dream of a scene, or of the next one when the planner refuses to dream there: a sentence it does not understand is no case for the check."""
    for attempt in range(MOST_SCENES):
        try:
            return dreams.make(kind, seed + ANOTHER_SCENE * attempt)
        except PlanningError as error:
            refusal = error
    raise refusal


def judged(
    good: Sequence[str], spoiled: Sequence[str], first_seed: int, calibration: Calibration, console: Console, path: Path | None
) -> list[Row]:
    """Make the samples and judge them; what is there so far is written now and then."""
    robot = load_embodiment('panda')
    check = PlanCheck(robot, LearnedField(robot), calibration)
    rows = []
    for group, seed, is_good, sample in samples(good, spoiled, first_seed):
        moment = Moment(stamp_ns=round(sample.age_s * 1e9), pictures=sample.real, position=sample.position, may_rest=sample.may_rest)
        begin = time.process_time()
        verdict = check.judge(sample.plan, moment)
        spent_ms = 1e3 * (time.process_time() - begin)
        rows.append(
            Row(
                kind=sample.kind,
                group=group,
                seed=seed,
                is_good=is_good,
                score=verdict.score,
                is_refused=not verdict.is_accepted,
                reason=verdict.reason,
                check_ms=round(spent_ms, 1),
                may_rest=sample.may_rest,
                values={name: round(value, 4) for name, value in verdict.measures.values().items()},
            )
        )
        if len(rows) % 20 == 0:
            console.print(f'{len(rows)} of {len(good) + len(spoiled)} dreams judged', highlight=False)
            write_rows(rows, path)
    return rows


def write_rows(rows: Sequence[Row], path: Path | None) -> None:
    """Write rows, and the figures where there are good and spoiled ones; no path: nothing."""
    if path is None:
        return
    page = {'summary': summary(rows) if len({row.is_good for row in rows}) == 2 else {}, 'rows': [asdict(row) for row in rows]}
    path.write_text(json.dumps(page, indent=1) + '\n', encoding='utf-8')


def read_rows(paths: Sequence[Path], calibration: Calibration) -> list[Row]:
    """Return rows that were written before, judged anew by their figures; reasons stay as they were."""
    rows = []
    for path in paths:
        for entry in json.loads(path.read_text(encoding='utf-8'))['rows']:
            row = Row(**entry)
            score = calibration.score(row.values, may_rest=row.may_rest)
            rows.append(replace(row, score=score, is_refused=score < calibration.least_score))
    return rows


def auroc(good: FloatArray, spoiled: FloatArray) -> float:
    """Return the probability that a good score is above a spoiled one; a tie counts half."""
    return float(np.mean((good[:, None] > spoiled).astype(float) + 0.5 * (good[:, None] == spoiled)))


def summary(rows: Sequence[Row]) -> dict[str, float]:
    """Return the figures of the bars."""
    good = np.array([row.score for row in rows if row.is_good])
    spoiled = np.array([row.score for row in rows if not row.is_good])
    cut = float(np.quantile(good, 0.05))
    return {
        'auroc': round(auroc(good, spoiled), 4),
        'good_refused': round(float(np.mean([row.is_refused for row in rows if row.is_good])), 4),
        'spoiled_refused': round(float(np.mean([row.is_refused for row in rows if not row.is_good])), 4),
        'spoiled_refused_where_5_percent_of_good_are': round(float(np.mean(spoiled < cut)), 4),
        'check_ms_median': float(np.median([row.check_ms for row in rows])),
        'check_ms_p95': float(np.quantile([row.check_ms for row in rows], 0.95)),
    }


def table_of(rows: Sequence[Row]) -> Table:
    """Return one line per kind."""
    table = Table('dreams', 'number', 'refused', 'median score', 'AUROC against the others', 'reason heard most often')
    good = np.array([row.score for row in rows if row.is_good])
    spoiled = np.array([row.score for row in rows if not row.is_good])
    for kind in dict.fromkeys(row.kind for row in sorted(rows, key=lambda row: (not row.is_good, row.kind))):
        those = [row for row in rows if row.kind == kind]
        scores = np.array([row.score for row in those])
        area = auroc(scores, spoiled) if those[0].is_good else auroc(good, scores)
        reasons = [row.reason for row in those if row.is_refused]
        refused = sum(row.is_refused for row in those)
        table.add_row(
            kind, str(len(those)), str(refused), f'{np.median(scores):.3f}', f'{area:.3f}', reasons[len(reasons) // 2] if reasons else ''
        )
    return table


def main() -> None:
    """Fit where asked, judge, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--good', type=int, default=40)
    parser.add_argument('--spoiled', type=int, default=40)
    parser.add_argument('--only', nargs='*', choices=(*GOOD, *SPOILED), default=(*GOOD, *SPOILED), metavar='KIND', help='kinds of dreams')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--fit', action='store_true', help=f'fit on the seeds kept for it and write {SHIPPED.name}; prints how it does on them'
    )
    parser.add_argument('--rows', type=Path, nargs='*', help='judge dreams of former runs (their --json files) by their figures, make none')
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    console = Console(width=170)
    calibration = load_calibration() if SHIPPED.is_file() or not arguments.fit else UNFITTED
    first_seed = (FIT_SEEDS if arguments.fit else TEST_SEEDS) + 1_000_000 * arguments.seed
    if arguments.rows:
        rows = read_rows(arguments.rows, calibration)
    else:
        good, spoiled = (
            [kind for kind, _ in zip(cycle([kind for kind in kinds if kind in arguments.only]), range(count), strict=False)]
            for kinds, count in ((GOOD, arguments.good), (SPOILED, arguments.spoiled))
        )
        rows = judged(good, spoiled, first_seed, calibration, console, arguments.json)
    if arguments.fit:
        good, spoiled = (
            [doubts_of(row.values, may_rest=row.may_rest) for row in rows if row.is_good is wanted] for wanted in (True, False)
        )
        fitted = fit(good, spoiled, refused_share=REFUSED_SHARE)
        save_calibration(
            fitted,
            SHIPPED,
            made_with=f'benchmarks/plan_refusal.py --fit, {len(good)} good and {len(spoiled)} spoiled dreams',
        )
        console.print(f'written to {SHIPPED}: judge other seeds with it by leaving --fit out', highlight=False)
    else:
        console.print(table_of(rows))
        for name, value in summary(rows).items():
            console.print(f'{name}: {value}', highlight=False)
    write_rows(rows, arguments.json)


if __name__ == '__main__':
    main()
