# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The client of the planner service and servers that are wrong, broken or gone, over real sockets of this machine."""

from __future__ import annotations

import time

import numpy as np
import pytest
from service_parts import a_hello, hello_of

from vera_core.codec import encode
from vera_core.errors import LinkError, PlanningError, WireError
from vera_planner.backends.remote import RemotePlanner
from vera_planner.service.words import order_from_wire, plan_to_wire


def test_server_of_another_kind_is_named(scripted, robot):
    async def silent(connection, message):
        pass

    for hello, words in (
        ({'view_keys': [], 'protocol_version': 1}, 'does not speak vera-planner'),
        (hello_of(robot, version=2), 'speaks version 2 of vera-planner, this client version 1'),
        (hello_of(robot, working_size=[0, 5]), 'working_size'),
        ('welcome', "said 'welcome'"),
        (b'\xc1\xc1', 'cannot be read'),
    ):
        with pytest.raises((LinkError, WireError), match=words):
            RemotePlanner(robot, scripted(hello, silent))


def spoiled(kind):
    """A change of a good answer that makes it bad, and the words that refuse it."""

    def change(good):
        view = next(iter(good['frames']))
        frames = good['frames'][view]
        values = {
            'nan time': {'step_dt_s': float('nan')},
            'nan picture': {'frames': good['frames'] | {view: np.full(frames.shape, np.nan, np.float32)}},
            'small picture': {'frames': good['frames'] | {view: frames[:, :16]}},
            'frame short': {'frames': good['frames'] | {view: frames[:-1]}},
            'frame more': {'horizon': 3},
            'view less': {'frames': {view: frames}},
            'view other': {'frames': {view: frames, 'elbow': frames}},
            'not pictures': {'frames': good['frames'] | {view: 'text'}},
            'stale frame 0': {'frames': good['frames'] | {view: 255 - frames}},
            'no frames': {'frames': None},
            'endless': {'horizon': 10**9},
            'confidence': {'confidence': 7.0},
        }
        return good | values[kind]

    return change  # fmt: skip


SPOILED = {
    'nan time': 'step_dt_s.* is nan; it must be finite',
    'nan picture': 'dtype float32; uint8 was expected',
    'small picture': r'shape \(5, 16, 32, 3\)',
    'frame short': 'has 4 pictures; 5 to 5',
    'frame more': 'has 5 pictures; 4 to 4',
    'view less': 'shows the views',
    'view other': 'shows the views',
    'not pictures': 'is a str; an array was expected',
    'stale frame 0': 'does not begin with the newest real picture',
    'no frames': 'a NoneType; dict was expected',
    'endless': 'horizon 1000000000',
    'confidence': 'confidence 7.0',
}


@pytest.mark.parametrize('kind', SPOILED)
def test_bad_plan_is_refused_whole_and_the_next_good_one_is_taken(scripted, robot, order, fake_planner, kind):
    requests = []

    async def reply(connection, message):
        requests.append(message)
        good = plan_to_wire(fake_planner().plan(order_from_wire(message, a_hello(robot)).request), message['id'])
        await connection.send(encode(spoiled(kind)(good) if len(requests) == 1 else good))

    planner = RemotePlanner(robot, scripted(hello_of(robot), reply))
    with pytest.raises(PlanningError, match=f'the answer of ws://.* is refused: .*{SPOILED[kind]}'):
        planner.plan(order())
    assert planner.plan(order()).horizon == 4
    planner.close()


def test_server_that_goes_away_hangs_or_talks_nonsense_is_given_up_and_found_again(background, scripted, robot, order, fake_planner):
    behaviour = {'now': 'close'}

    async def reply(connection, message):
        if behaviour['now'] == 'close':
            await connection.close()
        elif behaviour['now'] == 'cut':
            connection.transport.abort()
        elif behaviour['now'] == 'nonsense':
            await connection.send(b'\xc1' * 50)
        elif behaviour['now'] == 'text':
            await connection.send('Traceback ...')
        elif behaviour['now'] == 'good':
            await connection.send(
                encode(plan_to_wire(fake_planner().plan(order_from_wire(message, a_hello(robot)).request), message['id']))
            )

    planner = RemotePlanner(robot, scripted(hello_of(robot), reply), silence_s=0.3)

    def until_open():
        end = time.monotonic() + 10
        while True:
            try:
                return planner._link.open()
            except LinkError as error:
                if 'next try in' not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(0.02)

    for now, words in (
        ('close', 'closed the connection'), ('cut', 'closed the connection'), ('nonsense', 'cannot be read'), ('text', 'sent a text'),
        ('hang', 'has been silent for 0.3 s'),
    ):  # fmt: skip
        behaviour['now'] = now
        until_open()
        with pytest.raises(LinkError, match=words):
            planner.plan(order())
        with pytest.raises(LinkError, match='next try in'):
            planner.plan(order())
    behaviour['now'] = 'good'
    until_open()
    assert planner.plan(order()).horizon == 4
    planner.close()


def test_pauses_between_tries_grow_and_end():
    from vera_core.link import Link

    now = [0.0]
    link = Link('ws://127.0.0.1:9', lambda message: None, clock=lambda: now[0])
    pauses = []
    for _ in range(8):
        with pytest.raises(LinkError, match='cannot be reached'):
            link.open()
        with pytest.raises(LinkError, match='cannot be reached.*next try in') as caught:
            link.open()
        pauses.append(float(str(caught.value).split('next try in ')[1].split()[0]))
        now[0] += pauses[-1] + 0.1
    assert pauses == [0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
