# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""VERA's policy protocol over real sockets: our server to their clients, our client to their server."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from vera_bringup.serving.chunks import ChunkMaker
from vera_bringup.serving.policy_server import PolicyService, PolicySettings
from vera_bringup.serving.policy_session import PolicySession
from vera_control.remote_policy import Chunk, RemotePolicy
from vera_core.codec import decode, encode
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError, LinkError, ModelContractError, VeraError, WireError
from vera_core.policy_words import PolicyHello, chunk_from_wire, hello_from_wire, hello_to_wire, split_views
from vera_core.types import JacobianField, VideoPlan
from vera_jidm.pipeline import PipelineSettings

ROBOT = replace(load_embodiment('panda'), working_size=(32, 32))
HOME = ROBOT.home
N = len(HOME)
HELLO = PolicyHello(
    view_keys=ROBOT.view_names, view_widths=(), action_space='qpos_delta', action_horizon=4, action_dim=N, control_dt=0.2, context_frames=5,
    embodiment='panda', planner_model='fake', idm_model='fake',
)  # fmt: skip


class Planner:
    name = 'fake'

    def __init__(self):
        self.requests = []

    def plan(self, request):
        self.requests.append(request)
        frames = {view: np.stack([frames[-1].rgb] * 7) for view, frames in request.context.items()}
        return VideoPlan(
            plan_id=request.plan_id, task_id=request.task_id, prompt=request.prompt, stamp_ns=request.stamp_ns, step_dt_s=0.2, frames=frames
        )


class Flow:
    """Everything moves one pixel to the right."""

    def estimate(self, source, target):
        flow = np.zeros((*source.shape[:2], 2), np.float32)
        flow[..., 0] = 1.0
        return flow, np.ones(source.shape[:2], np.float32)


class Field:
    """Only the first joint moves the picture: 50 px to the right per rad."""

    def predict(self, frames, position):
        jacobian = np.zeros((8, 8, 2, N), np.float32)
        jacobian[..., 0, 0] = 50.0
        return {view: JacobianField(view=view, jacobian=jacobian, confidence=np.ones((8, 8)), stride=4) for view in frames}


def maker():
    return ChunkMaker(robot=ROBOT, planner=Planner(), field=Field(), flow=Flow(), settings=PipelineSettings(), step_dt_s=0.2)


@contextlib.contextmanager
def running(context):
    """Run an asynchronous context on a loop in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    stack = contextlib.AsyncExitStack()
    try:
        server = asyncio.run_coroutine_threadsafe(stack.enter_async_context(context), loop).result(10)
        yield f'ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}'
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def pictures(count=3, **changes):
    rgb = np.random.default_rng(1).integers(0, 255, (count, 32, 32 * len(ROBOT.views), 3), dtype=np.uint8)
    return {'endpoint': 'infer', 'context_rgb': rgb, 'q_robot': HOME.astype(np.float32), 'prompt': 'go', 'session_id': 's'} | changes


# Our server.


def test_their_client_gets_handshake_actions_and_texts_as_the_protocol_has_them():
    with running(PolicyService(maker, HELLO, PolicySettings(port=0)).listen()) as url, connect(url) as client:
        hello = decode(client.recv(timeout=5))
        assert set(hello) == {
            'image_resolution', 'view_keys', 'view_widths', 'proprio_keys', 'needs_prompt', 'needs_session_id', 'action_space', 'action_horizon',
            'context_frames', 'action_dim', 'control_dt', 'gripper_is_raw', 'actions_already_metric', 'action_abs_scale', 'gripper_dim_index',
            'embodiment', 'planner_model', 'idm_model', 'is_causal', 'protocol_version', 'git_head', 'git_dirty', 'git_diff_sha', 'hostname', 'argv',
            'run_dir',
        }  # fmt: skip
        assert (hello['action_space'], hello['control_dt'], hello['actions_already_metric'], hello['hostname']) == (
            'qpos_delta',
            0.2,
            True,
            '',
        )
        client.send(encode(pictures()))
        answer = decode(client.recv(timeout=20))
        assert answer['action'].shape == (4, N) and answer['action'].dtype == np.float32
        # 1 px is 1 / 50 rad of the first joint; the ridge takes a little of it.
        assert answer['action'][:, 0] == pytest.approx(0.02, rel=0.05) and np.abs(answer['action'][:, 1:]).max() < 1e-6
        assert set(answer['info']) >= {'infer_s', 'action_absmean', 'chunk_len', 'cold_start', 'context_len', 'session_id'}
        assert answer['info']['cold_start'] is True and answer['info']['session_id'] == 's' and answer['info']['chunk_len'] == 4
        client.send(encode({'endpoint': 'reset', 'reason': 'new_episode'}))
        assert client.recv(timeout=5) == 'reset successful'
        client.send(encode({'endpoint': 'configure', 'n_action_steps': 2}))
        assert decode(client.recv(timeout=5)) == {'applied': {'n_action_steps': 2}}
        client.send(encode({'endpoint': 'configure', 'n_action_steps': 3, 'tracker_x': 1}))
        assert client.recv(timeout=5).startswith('configure failed: tracker_x')
        client.send(encode(pictures(context_rgb=pictures()['context_rgb'][None].astype(np.float32) / 255)))
        assert decode(client.recv(timeout=20))['action'].shape == (2, N)  # all or nothing: 2 stayed
        client.send(encode({'endpoint': 'observe', 'executed_rgb': pictures()['context_rgb']}))
        assert decode(client.recv(timeout=5)) == {'ok': True, 'retro_rendered': False}
        client.send(encode({'endpoint': 'reload'}))
        assert decode(client.recv(timeout=5))['action_horizon'] == 2


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'endpoint': 'infre'}, "unknown endpoint 'infre'.*infer"),
        ({'q_robot': np.zeros(3)}, 'must hold the .* measured joints'),
        ({'q_robot': np.full(N, np.nan)}, 'must hold the'),
        ({'context_rgb': 'x'}, 'an array of pictures was expected'),
        ({'context_rgb': np.full((1, 32, 64, 3), np.nan, np.float32)}, 'not finite'),
        ({'context_rgb': np.full((1, 32, 64, 3), 7.0, np.float32)}, 'floats in 0..1'),
        ({'context_rgb': np.zeros((0, 32, 64, 3), np.uint8)}, '1 to 128 pictures'),
        ({'view_widths': [10, 10]}, 'which is not'),
        ({'view_keys': ['elbow']}, 'this server needs'),
        ({'context_update_mode': 'mix'}, 'replace and append'),
        ({'endpoint': 'reload', 'embodiment': 'droid'}, "not for 'droid'"),
    ],
)
def test_request_that_does_not_fit_gets_a_text_and_the_connection_ends_with_1011(change, words):
    with running(PolicyService(maker, HELLO, PolicySettings(port=0)).listen()) as url:
        with connect(url) as client:
            client.recv(timeout=5)
            client.send(encode(pictures(**change)))
            text = client.recv(timeout=10)
            assert isinstance(text, str)
            with pytest.raises(ConnectionClosed, match='1011'):
                client.recv(timeout=5)
            with pytest.raises(WireError, match=words):
                raise WireError(text)
        with connect(url) as client:
            client.recv(timeout=5)
            client.send(encode(pictures()))
            assert 'action' in decode(client.recv(timeout=20))


def test_clients_share_no_state_and_a_new_session_forgets():
    first, second = (PolicySession(maker(), HELLO, lambda: 0.0) for _ in range(2))
    first.answer(pictures(count=2))
    first.answer(pictures(count=2, context_update_mode='append'))
    second.answer(pictures(count=1, context_update_mode='append'))
    lengths = [[len(request.context[ROBOT.view_names[0]]) for request in session._maker.planner.requests] for session in (first, second)]
    assert lengths == [[2, 4], [1]]
    first.answer(pictures(count=1, context_update_mode='append', session_id='t'))
    request = first._maker.planner.requests[-1]
    assert len(request.context[ROBOT.view_names[0]]) == 1 and request.task_id != first._maker.planner.requests[0].task_id


def test_open_address_needs_a_token_or_the_word_of_the_operator():
    with pytest.raises(ConfigError, match='open to other machines'):
        PolicyService(maker, HELLO, PolicySettings(host='0.0.0.0'))
    PolicyService(maker, HELLO, PolicySettings(host='0.0.0.0', is_open=True))


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(['endpoint', 'context_rgb', 'q_robot', 'view_keys', 'view_widths', 'session_id', 'prompt', 'context_update_mode']),
                       st.none() | st.integers() | st.text(max_size=5) | st.binary(max_size=5) | st.lists(st.integers() | st.text(max_size=3), max_size=3)))  # fmt: skip
def test_any_request_is_answered_or_refused(changes):
    with contextlib.suppress(VeraError):
        PolicySession(maker(), HELLO, lambda: 0.0).answer(pictures(count=1, **changes))


# Our client.


def their_server(reply, hello=None):
    async def handle(connection):
        with contextlib.suppress(ConnectionClosed):
            await connection.send(encode(hello_to_wire(HELLO) | (hello or {})))
            async for data in connection:
                answer = reply(decode(data))
                if answer is None:
                    await connection.close()
                elif answer != 'hang':
                    await connection.send(answer if isinstance(answer, str) else encode(answer))

    @contextlib.asynccontextmanager
    async def listen():
        async with serve(handle, '127.0.0.1', 0, compression=None) as server:
            yield server

    return listen()


def ask(policy):
    context = {view: tuple(np.full((32, 32, 3), k, np.uint8) for k in range(9)) for view in ROBOT.view_names}
    return policy.infer(context, HOME, 'go', stamp_ns=10**9, plan_id=4, task_id=2)


def test_client_sends_what_the_protocol_asks_for_and_follows_the_chunk():
    requests = []

    def reply(message):
        requests.append(message)
        return (
            {'action': np.arange(2 * N, dtype=np.float32).reshape(2, N) / 100, 'info': {}}
            if message['endpoint'] == 'infer'
            else 'reset successful'
        )

    with running(their_server(reply)) as url:
        policy = RemotePolicy(ROBOT, url)
        chunk = ask(policy)
        policy.reset()
        policy.close()
    assert requests[0]['context_rgb'].shape == (5, 32, 32 * len(ROBOT.views), 3) and requests[0]['context_rgb'][:, 0, 0, 0].tolist() == [
        4,
        5,
        6,
        7,
        8,
    ]
    assert (
        requests[0]['session_id'] == 'task-2' and requests[0]['view_keys'] == list(ROBOT.view_names) and requests[1]['endpoint'] == 'reset'
    )
    velocity = chunk.velocity(10**9 + 250_000_000)
    np.testing.assert_allclose(velocity.velocity, np.arange(N, 2 * N) / 100 / 0.2, rtol=1e-6)
    assert (velocity.step, velocity.plan_id, velocity.task_id, velocity.at_plan_end) == (2, 4, 2, False)
    assert chunk.velocity(10**9 + 500_000_000) is None and chunk.velocity(0) is None


def test_quiet_chunk_says_that_the_task_is_done():
    chunk = Chunk(plan_id=1, task_id=1, stamp_ns=0, step_dt_s=0.1, delta_q=np.full((3, N), 1e-4))
    assert chunk.velocity(0).at_plan_end is True


@pytest.mark.parametrize(
    ('answer', 'words'),
    [
        (None, 'closed the connection'),
        ('hang', 'did not answer within 0.3 s'),
        ('Traceback: no memory', 'answers with an error: Traceback: no memory'),
        ({'action': np.full((2, N), np.nan, np.float32)}, 'refused.*not finite'),
        ({'action': np.zeros((2, N + 1), np.float32)}, 'refused.*shape'),
        ({'action': np.zeros((0, N), np.float32)}, '0 actions'),
        ({'action': np.full((2, N), 3.0, np.float32)}, 'joint step of 3.00 rad .limit 0.5 rad'),
        ({'action': np.zeros((2, N), np.int32)}, 'array of floats'),
        ({'info': {}}, 'array of floats'),
    ],
)
def test_bad_answer_is_refused_whole_and_the_server_found_again(answer, words):
    answers = [answer]
    with running(their_server(lambda message: answers.pop() if answers else {'action': np.zeros((1, N), np.float32)})) as url:
        now = [0.0]

        def clock():
            now[0] += 0.05
            return now[0]

        policy = RemotePolicy(ROBOT, url, deadline_s=0.3, clock=clock)
        with pytest.raises(LinkError, match=words):
            ask(policy)
        now[0] += 10
        policy._deadline_s = 20.0
        assert ask(policy).delta_q.shape == (1, N)
        policy.close()


@pytest.mark.parametrize(
    ('hello', 'words'),
    [
        ({'action_space': 'se3_quat'}, "of 'se3_quat'"),
        ({'action_dim': 3}, '3 of'),
        ({'view_keys': ['a']}, 'needs 1 views .a.'),
        ({'control_dt': float('nan')}, 'finite'),
        ({'control_dt': 0.0}, 'cannot be'),
        ({'protocol_version': 2}, 'version 2'),
    ],
)
def test_server_of_another_kind_is_refused_at_the_handshake(hello, words):
    with running(their_server(lambda message: None, hello)) as url, pytest.raises((ModelContractError, WireError), match=words):
        RemotePolicy(ROBOT, url).open()


def test_actions_without_a_unit_are_refused():
    hello = replace(HELLO, actions_already_metric=False)
    with pytest.raises(WireError, match='their unit is unknown'):
        chunk_from_wire({'action': np.zeros((1, N), np.float32)}, hello)
    scaled = chunk_from_wire({'action': np.ones((1, N), np.float32)}, replace(hello, action_abs_scale=(0.1,) * N))
    np.testing.assert_allclose(scaled, 0.1)
    assert hello_from_wire(hello_to_wire(HELLO)) == HELLO


def test_our_client_drives_our_server():
    with running(PolicyService(maker, HELLO, PolicySettings(port=0)).listen()) as url:
        policy = RemotePolicy(ROBOT, url)
        assert ask(policy).delta_q[:, 0] == pytest.approx(0.02, rel=0.05)
        policy.close()


def test_views_of_no_or_negative_width_are_refused():
    pictures = np.zeros((1, 8, 16, 3), np.uint8)
    for widths in ((-8, 24), (0, 16)):
        with pytest.raises(WireError, match='which is not 2 views'):
            split_views(pictures, ('a', 'b'), widths)
