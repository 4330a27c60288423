# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Planner service and its client over real sockets of this machine."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service_parts import a_hello, hello_of, start
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from vera_core.codec import decode, encode
from vera_core.errors import ConfigError, LinkError, ModelContractError, PlanningError, WireError
from vera_planner.backends.remote import RemotePlanner
from vera_planner.registry import make_planner
from vera_planner.service.access import bearer, check_address, is_allowed, read_token
from vera_planner.service.server import PlannerService, ServiceSettings
from vera_planner.service.words import hello_from_wire, hello_to_wire, order_from_wire, order_to_wire, plan_from_wire, plan_to_wire

# What works.


def test_plan_comes_back_as_the_server_made_it(background, robot, order, fake_planner):
    server = fake_planner(0.0)
    planner = make_planner('remote', robot=robot, url=start(background, robot, lambda: server))
    request = order(length=3, seed=5, task_age_s=1.5)
    plan, here = planner.plan(request), fake_planner().plan(request)
    assert (plan.plan_id, plan.task_id, plan.prompt, plan.stamp_ns, plan.seed) == (8, 3, 'touch the red cube', request.stamp_ns, 5)
    assert (plan.step_dt_s, plan.horizon, plan.context_len, plan.model, plan.confidence) == (0.2, 4, 3, 'fake', 0.75)
    for view in robot.view_names:
        np.testing.assert_array_equal(plan.frames[view], here.frames[view])
        assert [frame.stamp_ns for frame in server.requests[0].context[view]] == [300_000_000, 600_000_000, 900_000_000]
    assert server.requests[0].task_age_s == 1.5
    assert planner.name.startswith('remote ws://127.0.0.1') and planner.name.endswith('fake') and planner.plans_once is False
    planner.close()


def test_progress_of_a_slow_dream_is_seen_by_the_client(background, robot, order, fake_planner):
    planner = RemotePlanner(robot, start(background, robot, lambda: fake_planner(1.3)))
    request = order()
    seen = []
    dream = threading.Thread(target=lambda: planner.plan(request))
    dream.start()
    while dream.is_alive():
        seen.append(request.watch.progress)
        time.sleep(0.05)
    assert seen == sorted(seen) and any(0.2 < value < 0.95 for value in seen)
    planner.close()


def test_refusal_of_the_planner_reaches_the_client_in_its_words(background, robot, order, fake_planner):
    class Refusing(fake_planner):
        def plan(self, request):
            raise PlanningError('it names nothing that is seen')

    class Broken(fake_planner):
        def plan(self, request):
            raise RuntimeError('out of memory')

    for kind, error, words in (
        (Refusing, PlanningError, '^it names nothing that is seen'),
        (Broken, LinkError, 'failed: RuntimeError: out of memory'),
    ):
        planner = RemotePlanner(robot, start(background, robot, kind))
        for _ in range(2):  # the connection lives on
            with pytest.raises(error, match=words):
                planner.plan(order())
        planner.close()


def test_newest_request_wins_and_each_client_has_its_own_state(background, robot, order, fake_planner):
    made = []

    def make():
        made.append(fake_planner(0.4))
        return made[-1]

    url = start(background, robot, make)
    hello = a_hello(robot)
    with connect(url) as one, connect(url) as two:
        for client in (one, two):
            assert decode(client.recv())['type'] == 'hello'
        for number in (1, 2, 3):
            one.send(encode(order_to_wire(order(plan_id=number), number, deadline_s=10, max_context=3)))
            made[0].began.wait(2)
        two.send(encode(order_to_wire(order(plan_id=9), 9, deadline_s=10, max_context=3)))
        answers = {}
        while len(answers) < 3:
            message = decode(one.recv(timeout=5))
            if message['type'] != 'progress':
                answers[message['id']] = message
        # 1 had begun and was cancelled, 2 had not begun when 3 came.
        assert [answers[number]['type'] for number in (1, 2, 3)] == ['dropped', 'dropped', 'plan']
        assert 'a newer request took its place' in answers[2]['text']
        assert [request.plan_id for request in made[0].requests] == [1, 3]
        while decode(two.recv(timeout=5))['type'] != 'plan':
            pass
        assert len(made) == 2 and [request.plan_id for request in made[1].requests] == [9]
        assert hello.views == robot.view_names


def test_shared_planner_is_made_once(background, robot, fake_planner):
    made = []

    class Shared(fake_planner):
        is_shared = True

        def __init__(self):
            super().__init__()
            made.append(self)

    url = start(background, robot, Shared)
    clients = [RemotePlanner(robot, url) for _ in range(3)]
    assert len(made) == 1
    for client in clients:
        client.close()


def test_cancelled_dream_ends_on_the_server_and_the_next_one_works(background, robot, order, fake_planner):
    slow = fake_planner(30.0)
    planner = RemotePlanner(robot, start(background, robot, lambda: slow))
    request = order()
    with ThreadPoolExecutor() as pool:
        dream = pool.submit(planner.plan, request)
        assert slow.began.wait(3)
        begin = time.monotonic()
        request.watch.cancel()
        with pytest.raises(PlanningError, match='cancelled'):
            dream.result(3)
    slow.duration_s = 0.0
    assert planner.plan(order()).horizon == 4
    assert time.monotonic() - begin < 3
    planner.close()


def test_deadline_ends_the_dream_on_both_sides(background, robot, order, fake_planner):
    slow = fake_planner(30.0)
    planner = RemotePlanner(robot, start(background, robot, lambda: slow), deadline_s=0.4)
    with pytest.raises(LinkError, match='did not finish the plan within 0.4 s'):
        planner.plan(order())
    slow.duration_s = 0.0
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        try:
            assert planner.plan(order()).horizon == 4
            break
        except LinkError:
            continue
    assert slow.requests[0].watch.is_cancelled
    planner.close()


# Who may come in.


def test_client_without_the_token_is_turned_away(background, robot, order, fake_planner, token, tmp_path):
    url = start(background, robot, fake_planner, token=token)
    for headers in ({}, bearer('wrong-token-of-some-length'), {'Authorization': token}):
        with pytest.raises(InvalidStatus), connect(url, additional_headers=headers):
            pass
    with pytest.raises(LinkError, match='status 401: the token is missing or wrong'):
        RemotePlanner(robot, url)
    file = tmp_path / 'token'
    file.write_text(token + '\n')
    file.chmod(0o600)
    planner = RemotePlanner(robot, url, token_file=str(file))
    assert planner.plan(order()).horizon == 4
    planner.close()


def test_no_more_clients_than_places(background, robot, fake_planner):
    url = start(background, robot, fake_planner, max_clients=1)
    first = RemotePlanner(robot, url)
    with pytest.raises(LinkError, match='status 503: all 1 places are taken'):
        RemotePlanner(robot, url)
    first.close()


def test_other_machines_are_let_in_only_with_a_token(robot, fake_planner, token):
    assert (
        check_address('127.0.0.1', '') and check_address('::1', '') and check_address('localhost', '') and check_address('0.0.0.0', token)
    )
    for host in ('0.0.0.0', '::', '192.168.1.5', 'robot.local'):
        with pytest.raises(ConfigError, match='open to other machines: give a token file'):
            PlannerService(robot, fake_planner, ServiceSettings(host=host))
    assert (
        is_allowed(None, '') and not is_allowed(None, token) and not is_allowed('Bearer é', token) and is_allowed(f'Bearer {token}', token)
    )


def test_token_file_must_be_private_and_long_enough(tmp_path):
    file = tmp_path / 'token'
    with pytest.raises(ConfigError, match='cannot be read.*openssl rand'):
        read_token(str(file))
    file.write_text('x' * 32)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match='mode 644.*chmod 600'):
        read_token(str(file))
    file.chmod(0o600)
    assert read_token(str(file)) == 'x' * 32 and read_token('') == ''
    file.write_text('short')
    with pytest.raises(ConfigError, match='holds 5 characters; one word of at least 16'):
        read_token(str(file))


@pytest.mark.parametrize('url', ['', 'gpu', 'http://gpu:1', 'ws://', 'ws://h:99999', 'ws://[::'])
def test_address_that_is_none_is_refused(robot, url):
    with pytest.raises(ConfigError, match='must look like ws://host:port'):
        RemotePlanner(robot, url)


def test_server_for_another_robot_is_refused(background, robot, fake_planner):
    url = start(background, replace(robot, name='other', working_size=(64, 64)), fake_planner)
    with pytest.raises(
        ModelContractError, match=r"plans for robot 'other' .* at \(64, 64\) px, robot 'panda' has .*vera serve planner --robot panda"
    ):
        RemotePlanner(robot, url)


# What strangers send to the server.


def test_server_refuses_orders_that_do_not_fit_and_goes_on(background, robot, order, fake_planner):
    url = start(background, robot, fake_planner, max_bytes=400_000)
    good = order_to_wire(order(), 4, deadline_s=5, max_context=3)
    view = robot.view_names[0]
    with connect(url) as client:
        client.recv()
        for change, words in (
            ({'prompt': 'x' * 10_000}, 'has 10000 characters, at most 500'),
            ({'prompt': 5}, "'prompt' is a int"),
            ({'prompt': ''}, 'the task sentence is empty'),
            ({'deadline_s': float('inf')}, "'deadline_s' is inf; it must be finite"),
            ({'step_dt_s': -1.0}, 'step_dt_s is -1.0'),
            ({'seed': -1}, 'must be 0 or more'),
            ({'context': {}}, 'needs the views'),
            ({'context': good['context'] | {view: {'stamps_ns': [3, 2, 1], 'frames': good['context'][view]['frames']}}}, 'rising'),
            ({'context': good['context'] | {view: {'stamps_ns': [1], 'frames': np.zeros((1, 8, 8, 3), np.uint8)}}}, 'shape'),
            ({'context': good['context'] | {view: {'stamps_ns': [1], 'frames': np.zeros((1, 32, 32, 3))}}}, 'dtype float64'),
        ):
            client.send(encode(good | change))
            answer = decode(client.recv(timeout=5))
            assert (answer['type'], answer['id']) == ('refused', 4), answer
            assert words in answer['text'], answer
        client.send(encode(good))
        assert decode(client.recv(timeout=5))['type'] == 'plan'
        client.send(b'x' * 500_000)
        with pytest.raises(ConnectionClosed, match='1009'):
            client.recv(timeout=5)
    planner = RemotePlanner(robot, url)
    assert planner.plan(order()).horizon == 4
    planner.close()


def test_client_that_only_talks_nonsense_is_cut_off(background, robot, fake_planner):
    with connect(start(background, robot, fake_planner)) as client:
        client.recv()
        for _ in range(5):
            client.send('text')
            assert decode(client.recv(timeout=5))['type'] == 'failed'
        with pytest.raises(ConnectionClosed, match='5 messages could not be read'):
            client.recv(timeout=5)


simple = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=8) | st.binary(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
    max_leaves=6,
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_a_message_is_taken_or_refused_never_a_crash(robot, order, fake_planner, data):
    request = order(length=2)
    plan = fake_planner().plan(request)
    messages = (
        (hello_of(robot), hello_from_wire),
        (order_to_wire(request, 1, deadline_s=1, max_context=2), lambda message: order_from_wire(message, a_hello(robot))),
        (plan_to_wire(plan, 1), lambda message: plan_from_wire(message, request)),
    )
    message, read = messages[data.draw(st.integers(0, 2))]
    changed = dict(message)
    for _ in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from(sorted(message)))
        changed[key] = data.draw(simple)
    with contextlib.suppress(WireError):
        read(changed)


@pytest.mark.parametrize('name', ['type', 'protocol', 'version', 'views', 'working_size', 'max_context'])
@pytest.mark.parametrize('value', [np.zeros((2, 3)), [], {}, None, 'x' * 5000])
def test_a_hello_with_an_array_where_a_word_belongs_is_refused_in_words(robot, name, value):
    """An array compared with a word is many answers: this ended the client (found by benchmarks/fuzz_wire.py)."""
    with pytest.raises(WireError):
        hello_from_wire({**hello_to_wire(a_hello(robot)), name: value})
