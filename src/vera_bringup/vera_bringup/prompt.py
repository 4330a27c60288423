# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera prompt`: a sentence for a system that is already running."""

from __future__ import annotations

from rich.console import Console

from vera_bringup.progress import TaskProgress
from vera_bringup.session import Session
from vera_core.embodiment import load_embodiment


def run_prompt(sentence: str, *, robot_name: str, namespace: str, max_duration_s: float) -> int:
    """Send the sentence, show the feedback, return 0 when the task succeeded.

    The controller is not armed from here: whether the arm may move is the operator's decision.
    """
    console = Console(soft_wrap=True)
    with Session(load_embodiment(robot_name), namespace=namespace) as session:
        with TaskProgress(console, session, sentence) as progress:
            outcome = session.execute(sentence, max_duration_s=max_duration_s, on_feedback=progress.on_feedback)
        console.print(
            f'{outcome.outcome} after {outcome.elapsed_s:.1f} s and {outcome.plans} plans{": " if outcome.text else ""}{outcome.text}'
        )
    return 0 if outcome.outcome == 'succeeded' else 1
