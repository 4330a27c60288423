# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The client of an OpenAI-style video endpoint against a small server that speaks the documented format."""

from __future__ import annotations

import email
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import cv2
import numpy as np
import pytest

from vera_core.errors import ConfigError, LinkError, PlanningError
from vera_planner.backends.video_api import VideoApiPlanner, read_video
from vera_planner.registry import make_planner


def mp4(count: int, size: tuple[int, int]) -> bytes:
    """A video of grey pictures: picture k has the value 8 k."""
    file = io.BytesIO()
    with av.open(file, 'w', format='mp4') as container:
        stream = container.add_stream('libx264', rate=4, options={'crf': '1'})
        stream.height, stream.width, stream.pix_fmt = *size, 'yuv444p'
        for k in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((*size, 3), 8 * k, np.uint8), format='rgb24')))
        container.mux(stream.encode())
    return file.getvalue()


@pytest.fixture
def engine():
    """The server: `polls` answers before the video is ready, `answers` replaces what it says to a path."""

    class Engine(ThreadingHTTPServer):
        polls, video, answers, forms, calls = 2, mp4(9, (32, 64)), {}, [], []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def handle_any(self):
            server = self.server
            key = f'{self.command} {self.path}'
            server.calls.append((key, self.headers.get('Authorization')))
            body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
            if self.command == 'POST':
                head = f'Content-Type: {self.headers["Content-Type"]}\r\n\r\n'.encode()
                server.forms.append(
                    {
                        part.get_param('name', header='Content-Disposition'): part.get_payload(decode=True)
                        for part in email.message_from_bytes(head + body).get_payload()
                    }
                )
            if key in server.answers:
                status, data = server.answers[key]
            elif self.command == 'POST' and self.path == '/v1/videos':
                status, data = 200, json.dumps({'id': 'video_1', 'object': 'video', 'status': 'queued', 'progress': 0}).encode()
            elif self.path == '/v1/videos/video_1/content':
                status, data = 200, server.video
            else:
                server.polls -= 1
                words = {'status': 'in_progress', 'progress': 50} if server.polls >= 0 else {'status': 'completed', 'progress': 100}
                status, data = 200, json.dumps({'id': 'video_1'} | words).encode()
            if status is None:
                self.connection.close()
                return
            self.send_response(status)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = handle_any

    Engine.answers, Engine.forms, Engine.calls = {}, [], []
    with Engine(('127.0.0.1', 0), Handler) as server:
        server.url = f'http://127.0.0.1:{server.server_address[1]}'
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def planner(robot, engine, **changes):
    return VideoApiPlanner(robot, engine.url, **({'poll_s': 0.02, 'horizon': 8, 'deadline_s': 5.0} | changes))


def test_video_becomes_a_plan_of_every_view(robot, order, engine, tmp_path, token):
    file = tmp_path / 'token'
    file.write_text(token)
    file.chmod(0o600)
    made = planner(
        robot,
        engine,
        model='Wan-AI/Wan2.2-I2V-A14B-Diffusers',
        token_file=str(file),
        steps=4,
        guidance=3.5,
        negative_prompt='blur',
        step_dt_s=0.25,
    )
    request = order(seed=7)
    plan = made.plan(request)
    assert (plan.horizon, plan.context_len, plan.step_dt_s) == (8, 1, 0.3) and 'reduced: one context picture' in made.name
    for view in robot.view_names:
        np.testing.assert_array_equal(plan.frames[view][0], request.context[view][-1].rgb)
        assert [abs(int(picture.mean()) - 8 * (k + 1)) <= 3 for k, picture in enumerate(plan.frames[view][1:])] == [True] * 8
    form = engine.forms[0]
    png = cv2.imdecode(np.frombuffer(form.pop('input_reference'), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    np.testing.assert_array_equal(png, np.concatenate([request.context[view][-1].rgb for view in robot.view_names], axis=1))
    assert {name: value.decode() for name, value in form.items()} == {
        'prompt': 'touch the red cube', 'model': 'Wan-AI/Wan2.2-I2V-A14B-Diffusers', 'size': '64x32', 'width': '64', 'height': '32', 'num_frames': '9',
        'fps': '4', 'seed': '7', 'negative_prompt': 'blur', 'num_inference_steps': '4', 'guidance_scale': '3.5',
    }  # fmt: skip
    assert {header for _, header in engine.calls} == {f'Bearer {token}'} and request.watch.progress == 0.5


@pytest.mark.parametrize(
    ('key', 'answer', 'error', 'words'),
    [
        ('POST /v1/videos', (422, b'prompt too long'), PlanningError, 'status 422: prompt too long'),
        ('POST /v1/videos', (200, b'<html>'), PlanningError, 'is no JSON'),
        ('POST /v1/videos', (200, b'[1]'), PlanningError, 'is a list; an object was expected'),
        ('POST /v1/videos', (200, b'{}'), PlanningError, 'without the id of a job'),
        ('POST /v1/videos', (None, b''), LinkError, 'cannot be reached or went away'),
        (
            'GET /v1/videos/video_1',
            (200, b'{"status": "failed", "error": {"message": "out of memory"}}'),
            PlanningError,
            'failed.*out of memory',
        ),
        ('GET /v1/videos/video_1', (200, b'{"status": 5}'), PlanningError, "status '5'"),
        ('GET /v1/videos/video_1', (200, b'{"status": "queued"}'), LinkError, 'did not finish the video within 0.4 s'),
        ('GET /v1/videos/video_1/content', (200, b'no video'), PlanningError, 'the video of 8 bytes is refused'),
        ('GET /v1/videos/video_1/content', (200, mp4(4, (32, 64))), PlanningError, 'has 4 pictures, 9 were asked for'),
        ('GET /v1/videos/video_1/content', (200, mp4(9, (64, 64))), PlanningError, '64 x 64 px, 32 x 64 px were asked for'),
        ('GET /v1/videos/video_1/content', (200, mp4(9, (32, 64))[:-400]), PlanningError, 'refused'),
    ],
)
def test_answer_that_does_not_fit_is_refused_and_the_next_plan_works(robot, order, engine, key, answer, error, words):
    made = planner(robot, engine, deadline_s=0.4)
    engine.answers[key] = answer
    with pytest.raises(error, match=words):
        made.plan(order())
    engine.answers.clear()
    assert make_planner('video_api', robot=robot, url=engine.url, horizon=8, poll_s=0.02).plan(order()).horizon == 8


def test_cancelled_job_is_deleted_on_the_server(robot, order, engine):
    request = order()
    request.watch.cancel()
    with pytest.raises(PlanningError, match='cancelled'):
        planner(robot, engine).plan(request)
    assert [key for key, _ in engine.calls][-1] == 'DELETE /v1/videos/video_1'


def test_server_that_is_not_there_and_addresses_that_are_none(robot, order):
    with pytest.raises(LinkError, match='127.0.0.1:9 cannot be reached'):
        VideoApiPlanner(robot, 'http://127.0.0.1:9').plan(order())
    for url in ('', 'ws://a:1', 'http://', 'http://a:99999999'):
        with pytest.raises(ConfigError, match='must look like http://host:port'):
            VideoApiPlanner(robot, url)


def test_noise_is_no_video():
    rng = np.random.default_rng(0)
    whole = mp4(9, (32, 64))
    for data in (b'', rng.bytes(5000), whole[: len(whole) // 2], whole[:40] + rng.bytes(2000)):
        with pytest.raises(PlanningError, match='refused'):
            read_video(data, (32, 64), 8)
