# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the operator page shows and may ask for, without ROS and without a browser."""

from __future__ import annotations

import json
import struct
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from vera_bringup.operator.access import Access, new_token
from vera_bringup.operator.commands import Command, parse_command
from vera_bringup.operator.feed import DREAM, PLAN_PER_ROUND, Feed
from vera_bringup.operator.history import History
from vera_bringup.operator.model import Cursor, OperatorModel
from vera_bringup.operator.page import make_page, page_config
from vera_bringup.operator.pictures import PictureBoard, preview
from vera_bringup.operator.reports import PlannerNow, SafetyNow, TaskNow
from vera_bringup.operator.server import LoopbackServer
from vera_bringup.viewing.body import load_body
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_core.types import JacobianField, JointVelocity, RobotState
from vera_jidm.overlay import field_mosaic, mosaic_shrink, mosaic_tile

S = 1_000_000_000


def safety(state='ARMED', reason='NO_TASK', **values):
    return SafetyNow(state=state, reason=reason, text=f'{state} because {reason}', speed_scale=1.0, **values)


def estimate(stamp_ns, delta_q):
    n = len(delta_q)
    return JointVelocity(
        stamp_ns=stamp_ns, plan_id=4, task_id=1, step=3, dt_s=0.3, delta_q=np.array(delta_q), std=np.zeros(n), observability=np.ones(n),
        residual_ratio=0.25, residual_px=0.5, condition=2.0, remaining_px=5.0, at_plan_end=False,
    )  # fmt: skip


@pytest.fixture(name='panda')
def panda_fixture():
    return load_embodiment('panda')


@pytest.fixture(name='model')
def model_fixture(panda):
    return OperatorModel(panda, load_body(panda))


def test_a_history_hands_out_what_a_reader_has_not_seen_and_forgets_the_oldest():
    history: History[int] = History(3)
    assert history.since(0) == (0, [])
    for item in range(5):
        history.add(item)
    assert history.since(0) == (5, [2, 3, 4])
    assert history.since(4) == (5, [4])
    assert history.since(5) == (5, [])
    assert history.newest == 4


def test_every_change_of_state_or_reason_is_an_alarm_and_a_repetition_is_none(model):
    for report in (safety(), safety(), safety('HOLDING', 'NODE_LOST'), safety('STOPPED_LATCHED', 'OPERATOR_STOP')):
        model.on_safety(report, S)
    notes = model.snapshot(Cursor(), S)['notes']
    assert [note['kind'] for note in notes] == ['ok', 'hold', 'stop']
    assert notes[-1]['text'] == 'STOPPED_LATCHED OPERATOR_STOP: STOPPED_LATCHED because OPERATOR_STOP'


def test_a_refusal_of_the_planner_is_an_alarm_once(model):
    refused = PlannerNow(state='REFUSED', text='no such cube', model='m', latency_s=0.5)
    model.on_planner(refused, S)
    model.on_planner(refused, 2 * S)
    assert [note['text'] for note in model.snapshot(Cursor(), S)['notes']] == ['planner REFUSED: no such cube']


def test_a_page_gets_all_that_is_remembered_and_then_only_what_is_new(model):
    first, second = Cursor(), Cursor()
    model.on_safety(safety(), S)
    assert len(model.snapshot(first, S)['samples']) == 1
    model.on_safety(safety(), 2 * S)
    assert len(model.snapshot(first, 2 * S)['samples']) == 1
    assert len(model.snapshot(second, 2 * S)['samples']) == 2


def test_a_moment_of_the_plots_has_residual_ages_commanded_and_measured(model, panda):
    n = len(panda.joints)
    model.on_state(RobotState(stamp_ns=S, position=panda.home, velocity=np.full(n, 0.2)))
    model.on_age('camera', 3.0)
    model.on_age('flow', 25.0)
    model.on_estimate(estimate(S, np.zeros(n)), latency_s=0.06, now_ns=S)
    model.on_safety(safety(commanded_velocity=(0.1,) * n), S)
    model.on_safety(safety(), 3 * S)  # two seconds later the estimate is history
    fresh, stale = model.snapshot(Cursor(), 3 * S)['samples']
    assert fresh == [1.0, 0.25, 3.0, 25.0, 60.0, None, [0.1] * n, [0.2] * n]
    assert stale[1] is None
    assert stale[4] is None


def test_the_ghost_stands_where_the_estimate_leads_and_nowhere_at_rest(model, panda):
    n = len(panda.joints)
    assert model.snapshot(Cursor(), S)['scene'] is None
    model.on_state(RobotState(stamp_ns=S, position=panda.home, velocity=np.zeros(n)))
    assert model.snapshot(Cursor(), S)['scene']['ghost'] is None
    step = np.zeros(n)
    step[3] = 0.2
    model.on_estimate(estimate(S, step), latency_s=0.06, now_ns=S)
    scene = model.snapshot(Cursor(), S)['scene']
    expected = load_body(panda).shape_points(dict(zip(panda.joint_names, panda.home + step, strict=True)))
    assert len(scene['ghost']) == len(expected)
    for shown, wanted in zip(scene['ghost'], expected, strict=True):
        assert np.array(shown) == pytest.approx(wanted, abs=1e-4)
    assert len(scene['paths'][0]) == 2
    assert model.fastest_joint == 3


def test_the_state_is_json_and_names_task_and_progress(model):
    model.on_task(TaskNow(task_id=7, prompt='touch it', is_active=True))
    model.on_progress({'phase': 'following', 'elapsed_s': 1.5})
    model.on_prompt('touch it')
    model.on_prompt('touch it')
    state = json.loads(Feed(model, PictureBoard(('front',))).state(S))
    assert state['task'] == {'task_id': 7, 'prompt': 'touch it', 'is_active': True}
    assert state['progress']['phase'] == 'following'
    assert state['prompts'] == ['touch it']
    model.on_task(TaskNow(task_id=7, prompt='touch it', is_active=False))
    assert json.loads(Feed(model, PictureBoard(('front',))).state(S))['progress'] == {}


def test_a_picture_is_drawn_once_for_all_pages_and_only_when_somebody_looks():
    board = PictureBoard(('front',))
    drawn = []

    def draw():
        drawn.append(1)
        return np.full((8, 8, 3), 90, np.uint8)

    board.put('front', 'camera', draw)
    board.put('front', 'camera', draw)
    assert drawn == []
    number, jpeg = board.newer('front', 'camera', 0)
    assert board.newer('front', 'camera', 0) == (number, jpeg)
    assert board.newer('front', 'camera', number) is None
    assert drawn == [1]
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (8, 8, 3)


def test_a_plan_goes_out_a_few_frames_a_round_and_each_says_its_place(model):
    board = PictureBoard(('front', 'side'))
    feed = Feed(model, board)
    board.put_plan(9, tuple(tuple(b'%s%d' % (view, step) for step in range(10)) for view in (b'f', b's')))
    rounds = [feed.pictures() for _ in range(3)]
    assert [len(messages) for messages in rounds] == [PLAN_PER_ROUND, 20 - PLAN_PER_ROUND, 0]
    assert rounds[0][3] == struct.pack('>BBHI', DREAM, 1, 1, 9) + b's1'


def test_a_large_picture_is_brought_down_for_the_page():
    assert preview(np.zeros((480, 640, 3), np.uint8)).shape == (240, 320, 3)
    assert preview(np.zeros((100, 100, 3), np.uint8)).shape == (100, 100, 3)


def test_a_tile_of_the_field_is_found_again_in_the_mosaic_of_all_views():
    # Two views, three joints in two columns: two rows per view, and the fourth tile is empty.
    tiles = np.arange(8, dtype=np.uint8).reshape(4, 2)
    mosaic = np.repeat(np.repeat(tiles, 5, axis=0), 6, axis=1)[..., None].repeat(3, axis=2)
    tile = mosaic_tile(mosaic, view=1, views=2, joint=2, joints=3, columns=2)
    assert tile.shape == (5, 6, 3)
    assert np.unique(tile).tolist() == [6]


def test_the_mosaic_of_a_hand_fits_in_one_message_and_a_small_one_is_not_shrunk():
    shrink = mosaic_shrink(32, (128, 128))
    assert 32 * 3 * int(128 * shrink) ** 2 <= 400_000
    assert shrink == pytest.approx(np.sqrt(400_000 / (32 * 3 * 128 * 128)))
    assert mosaic_shrink(2, (128, 128)) == 1.0
    rgb = np.full((16, 16, 3), 100, np.uint8)
    field = JacobianField(view='front', jacobian=np.ones((4, 4, 2, 5)), confidence=np.ones((4, 4)), stride=4)
    assert field_mosaic(rgb, field, shrink=0.5).shape == (2 * 8, 4 * 8, 3)


def test_requests_are_checked():
    assert parse_command('{"do": "arm"}') == Command(action='arm')
    assert parse_command('{"do": "prompt", "text": " touch it "}') == Command(action='prompt', text='touch it')
    assert parse_command('{"do": "speed", "value": 0.5}') == Command(action='speed', value=0.5)


@pytest.mark.parametrize(
    ('message', 'words'),
    [
        ('nonsense', 'is no request'),
        ('[]', 'is no request'),
        ('{"do": "amr"}', "unknown request 'amr'; known: .* Did you mean 'arm'"),
        ('{"do": "prompt", "text": "  "}', '0 characters; 1 to 500'),
        ('{"do": "prompt", "text": "%s"}' % ('x' * 501), '501 characters'),
        ('{"do": "speed", "value": 1.5}', r'speed scale 1.5 cannot be used; a number in \[0, 1\]'),
        ('{"do": "speed", "value": true}', 'speed scale True'),
        ('{"do": "speed"}', 'speed scale None'),
    ],
)
def test_a_request_that_cannot_be_is_refused_in_words(message, words):
    with pytest.raises(ConfigError, match=words):
        parse_command(message)


HERE = '127.0.0.1:8400'


def test_who_has_the_token_and_comes_from_this_machine_may_come_in():
    access = Access(token=new_token())
    target = f'/live?token={access.token}'
    assert access.check(target, host=HERE, origin=None) is None
    assert access.check(target, host='localhost:8400', origin='http://localhost:8400') is None
    assert access.check('/live', host=HERE, origin=None).status == 401
    assert access.check(f'{target}x', host=HERE, origin=None).status == 401
    assert access.check(target, host='evil.example', origin=None).status == 403
    assert access.check(target, host=HERE, origin='http://evil.example').status == 403
    assert new_token() != new_token()


@pytest.fixture(name='server')
def server_fixture():
    def echo(connection):
        for message in connection:
            connection.send(message)

    server = LoopbackServer(
        Access(token='right'), port=0, path='/live', handler=echo, document=b'<html></html>', policy="default-src 'none'"
    )
    yield server
    server.close()


def test_the_page_is_served_with_the_token_and_refused_without(server):
    with urlopen(f'http://127.0.0.1:{server.port}/?token=right', timeout=5) as answer:
        assert answer.read() == b'<html></html>'
        assert answer.headers['Content-Security-Policy'] == "default-src 'none'"
        assert answer.headers['Referrer-Policy'] == 'no-referrer'
        assert answer.headers['Cache-Control'] == 'no-store'
    for address, headers, status in (
        ('/', {}, 401),
        ('/?token=wrong', {}, 401),
        ('/live', {}, 401),
        ('/other?token=right', {}, 404),
        ('/?token=right', {'Host': 'evil.example'}, 403),
    ):
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(f'http://127.0.0.1:{server.port}{address}', headers=headers), timeout=5)
        assert refused.value.code == status
        refused.value.close()


def test_the_websocket_is_refused_without_the_token_and_from_foreign_pages(server):
    address = f'ws://127.0.0.1:{server.port}/live'
    with connect(f'{address}?token=right') as socket:
        socket.send('hello')
        assert socket.recv(timeout=5) == 'hello'
        assert server.visitors == 1
    for target, options, status in (
        (address, {}, 401),
        (f'{address}?token=wrong', {}, 401),
        (f'{address}?token=right', {'origin': 'http://evil.example'}, 403),
    ):
        with pytest.raises(InvalidStatus) as refused, connect(target, **options):
            pass
        assert refused.value.response.status_code == status


def test_a_port_that_is_taken_is_named(server):
    with pytest.raises(ConfigError, match=f'port {server.port} of 127.0.0.1 cannot be used .*give another port'):
        LoopbackServer(Access(token='x'), port=server.port, path='/live', handler=lambda _: None)


def test_only_this_machine_reaches_the_page(server):
    assert server._server.socket.getsockname()[0] == '127.0.0.1'


def test_the_document_is_whole_and_only_its_own_script_runs(panda):
    config = page_config(panda, load_body(panda), stop_port=8401)
    document, policy = make_page({**config, 'robot': '</script><b>'})
    text = document.decode()
    assert '<!-- style -->' not in text
    assert '<!-- script -->' not in text
    assert text.count('</script>') == 1
    assert 'src=' not in text
    assert "default-src 'none'" in policy
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert f'<script nonce="{nonce}">' in text
    assert len(config['solids']) == len(config['home']) == len(load_body(panda).shapes)
