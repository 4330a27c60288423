# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A person's minute at the page, done by a browser: a sentence is typed and watched, the arm is stopped by a key, also while the page's own node hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vera_bringup.operator.browser import Browser, BrowserError
from vera_bringup.session import Session
from vera_bringup.up import SystemProcesses
from vera_core.ros.stamps import to_ns

REST_RAD_S = 0.02
MOVING_RAD_S = 0.12
WATCH_S = 2.0
STOP_TRIES = 3
PAINT = "performance.getEntriesByType('paint').find(entry => entry.name === 'first-contentful-paint')?.startTime ?? 0"
ANSWER = "(document.querySelector('#notes li.answer')?.lastChild.textContent ?? '')"
STATE = "document.getElementById('state').textContent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured."""

    first_paint_ms: float
    """First contentful paint after the navigation began."""
    picture_hz: dict[str, float]
    """Pictures per second and view while the arm moves, by kind."""
    stop_to_rest_ms: tuple[float, ...]
    """From the key to the last measured joint motion, each time."""
    stop_to_rest_hanging_ms: tuple[float, ...]
    """The same while operator_node is suspended by the kernel."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


@contextmanager
def suspended(pid: int) -> Iterator[None]:
    """Suspend a process for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def give_sentence(browser: Browser, session: Session, sentence: str) -> None:
    """Type a sentence on the page and wait until the arm is well under way."""
    browser.click('#prompt')
    browser.type_text(sentence)
    browser.press('Enter')
    browser.wait_for(f'{STATE} === "RUNNING"', timeout_s=20.0)
    session.wait_for(lambda: session.scene.arm_speed > MOVING_RAD_S, timeout_s=15.0, what='motion of the arm')


def picture_rates(browser: Browser, views: int) -> dict[str, float]:
    """Return the pictures per second and view that reach the page, by kind, watched for a while."""
    before, began = browser.evaluate('({...board.counts})'), time.monotonic()
    time.sleep(WATCH_S)
    after, seconds = browser.evaluate('({...board.counts})'), time.monotonic() - began
    return {kind: round((after[kind] - before.get(kind, 0)) / seconds / views, 1) for kind in sorted(after)}


def watch_canvases(browser: Browser, pictures: int, *, timeout_s: float = 90.0) -> dict[str, int]:
    """Wait until the slowest stream has brought this many new pictures; return how many each canvas with a stream of its own got meanwhile."""
    kinds = "['camera', 'flow', 'field']"
    browser.evaluate('window.watched = {...board.seen}')
    counts = f'{kinds}.flatMap(kind => CONFIG.views.map((_, view) => `${{kind}}-${{view}}`)).map(id => [id, (board.seen[id] ?? 0) - (watched[id] ?? 0)])'
    browser.wait_for(f'{counts}.every(entry => entry[1] >= {pictures})', timeout_s=timeout_s)
    return {str(name): int(count) for name, count in browser.evaluate(counts)}


def stop_by_key(browser: Browser, session: Session, key: str) -> float:
    """Press a key and return how long the measured joints still move, ms."""
    topic = session.robot.driver.joint_states_topic
    session.recorder.start()
    pressed_ns = session.node.get_clock().now().nanoseconds
    browser.press(key)
    time.sleep(1.5)
    session.recorder.stop()
    moving_ns = [pressed_ns]
    arm = set(session.robot.joint_names)
    for recorded in session.recorder.messages(topic):
        state = recorded.message
        rates = [rate for name, rate in zip(state.name, state.velocity, strict=False) if name in arm]
        if np.linalg.norm(rates) > REST_RAD_S:
            moving_ns.append(to_ns(state.header.stamp))
    return float(max(moving_ns) - pressed_ns) * 1e-6


def run_trial(
    browser: Browser, processes: SystemProcesses, session: Session, url: str, *, sentence: str, stops: int = 1, pictures: Path | None = None
) -> Figures:
    """Work with the page as a person does, and measure.

    Args:
        browser: A browser with no page open yet.
        processes: The running system; it has operator_node.
        session: Beside the system; records the joint states.
        url: What operator_node printed.
        sentence: What to do.
        stops: How often the arm is stopped each way.
        pictures: Folder for screenshots; none are taken when None.
    """
    browser.open(url)
    browser.wait_for(f'{STATE} === "ARMED"', timeout_s=20.0)
    first_paint_ms = browser.wait_for(PAINT)
    give_sentence(browser, session, sentence)
    rates = picture_rates(browser, len(session.robot.views))
    _shoot(browser, pictures, 'operator_running.png')
    session.wait_for(lambda: session.scene.arm_speed > MOVING_RAD_S, timeout_s=15.0, what='motion of the arm')
    plain, hanging = [stop_moving_arm(browser, session, sentence, 'Space')], list[float]()
    browser.wait_for(f'{STATE} === "STOPPED_LATCHED"')
    _shoot(browser, pictures, 'operator_stopped.png')
    while len(hanging) < stops:
        start_again(browser, session, sentence)
        hanging.append(stop_moving_arm(browser, session, sentence, 'Escape', hanging=processes.pid('operator_node')))
        if len(plain) < stops:
            start_again(browser, session, sentence)
            plain.append(stop_moving_arm(browser, session, sentence, 'Escape'))
    browser.wait_for(f'{STATE} === "STOPPED_LATCHED"')
    return Figures(first_paint_ms=first_paint_ms, picture_hz=rates, stop_to_rest_ms=tuple(plain), stop_to_rest_hanging_ms=tuple(hanging))


def stop_moving_arm(browser: Browser, session: Session, sentence: str, key: str, *, hanging: int | None = None) -> float:
    """Stop by a key, with the process of a number suspended, and return the time to rest, ms; again when the arm held just then."""
    taken_ms = 0.0
    for _ in range(STOP_TRIES):
        with suspended(hanging) if hanging is not None else contextlib.nullcontext():
            taken_ms = stop_by_key(browser, session, key)
        if taken_ms > 0:
            break
        start_again(browser, session, sentence)
    return taken_ms


def start_again(browser: Browser, session: Session, sentence: str) -> None:
    """Release the stop, arm and go home with the buttons of the page, and give the sentence again."""
    bring_back(browser)
    _go_home(browser)
    give_sentence(browser, session, sentence)


def _go_home(browser: Browser, tries: int = 4) -> None:
    """Press the button for home until the arm is there; on a busy machine joint states come late now and then, which ends a move."""
    for left in reversed(range(tries)):
        browser.click('[data-do="home"]')
        try:
            browser.wait_for(f'{ANSWER} === "home"', timeout_s=10.0)
        except BrowserError:
            if not left:
                raise
        else:
            return


def bring_back(browser: Browser) -> None:
    """Release the stop and arm, with the buttons of the page."""
    browser.wait_for(f'{STATE} === "STOPPED_LATCHED"')
    browser.click('[data-do="reset"]')
    browser.wait_for(f'{STATE} === "DISARMED"')
    browser.click('[data-do="arm"]')
    browser.wait_for(f'{STATE} === "ARMED"')


def _shoot(browser: Browser, folder: Path | None, name: str) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        browser.screenshot(folder / name)
