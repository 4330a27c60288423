# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A video serving engine as planner: the OpenAI-style endpoint `/v1/videos` of vLLM-Omni or SGLang diffusion.

Reduced: it takes one picture as context, so that the model does not see how fast things move, and its answer is a compressed video.
"""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

import av
import cv2
import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, LinkError, PlanningError, WireError
from vera_core.link import check_url
from vera_core.shapes import RgbArray
from vera_core.types import VideoPlan
from vera_planner.backends.canvas import make_canvas, plan_of
from vera_planner.planner import DreamWatch, PlanRequest, check_request
from vera_planner.service.access import bearer, read_token

POLL_S = 0.5
CONNECT_S = 10.0
MAX_VIDEO = 64 * 2**20
"""Longest video, bytes."""
MAX_JSON = 2**20
HORIZON = 16
WAITING = ('queued', 'in_progress', 'processing', 'pending', 'running')


class VideoApiPlanner:
    """Submits a job, waits for it, downloads the video and cuts it into views."""

    def __init__(
        self,
        robot: Embodiment,
        url: str,
        *,
        token_file: str = '',
        deadline_s: float = 300.0,
        model: str = '',
        steps: int = 0,
        guidance: float = -1.0,
        negative_prompt: str = '',
        horizon: int = 0,
        canvas_height: int = 0,
        canvas_width: int = 0,
        step_dt_s: float = 0.3,
        poll_s: float = POLL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; parameters as in `PlannerParams`. The server is asked only when a plan is due.

        Raises:
            ConfigError: If the address, the token file or a number cannot be used.
        """
        parts = urlsplit(check_url(url, ('http', 'https')))
        self._secure, self._host, self._port = parts.scheme == 'https', parts.hostname or '', parts.port
        self._root = parts.path.rstrip('/').removesuffix('/v1')
        if not 0 < deadline_s <= 3600 or not step_dt_s > 0:
            raise ConfigError(
                f'deadline_s is {deadline_s} and step_dt_s {step_dt_s}; more than 0 and at most 3600 s, and more than 0 s, are needed'
            )
        self._views = robot.view_names
        self._canvas = make_canvas(self._views, robot.working_size, canvas_height, canvas_width, multiple=16)
        self._headers = bearer(read_token(token_file))
        self._deadline_s, self._poll_s, self._clock = deadline_s, poll_s, clock
        self._horizon = horizon or HORIZON
        height, width = self._canvas.size
        fields = {
            'model': model,
            'size': f'{width}x{height}',
            'width': width,
            'height': height,
            'num_frames': -(-self._horizon // 4) * 4 + 1,
            'fps': max(1, round(1 / step_dt_s)),
            'negative_prompt': negative_prompt,
            'num_inference_steps': steps or '',
            'guidance_scale': guidance if guidance >= 0 else '',
        }
        self._fields = {name: str(value) for name, value in fields.items() if value != ''}
        self.name = f'video_api {url}{f", {model}" if model else ""}, reduced: one context picture'

    def plan(self, request: PlanRequest) -> VideoPlan:
        """Return the plan in the server's video; see `VideoPlanner.plan`.

        Raises:
            PlanningError: If the server refuses, the dream is cancelled, or the video does not fit.
            LinkError: If the server cannot be reached or takes longer than the deadline.
        """
        check_request(request, self._views)
        end = self._clock() + self._deadline_s
        shown = self._canvas.put(request.context, 1)[0]
        job = self._call(
            'POST', '/v1/videos', _form({**self._fields, 'prompt': request.prompt, 'seed': str(request.seed % 2**31)}, _png(shown))
        )
        number = job.get('id')
        if not isinstance(number, str) or not 0 < len(number) <= 200:
            raise PlanningError(f'the server answered without the id of a job: {str(job)[:200]}')
        path = f'/v1/videos/{quote(number, safe="")}'
        try:
            self._await(path, job, request.watch, end)
            data = self._fetch('GET', f'{path}/content', None, MAX_VIDEO)
        except (PlanningError, LinkError):
            self._forget(path)
            raise
        return plan_of(request, self._canvas, read_video(data, self._canvas.size, self._horizon), context_len=1, model=self.name)

    def _await(self, path: str, job: Mapping[str, Any], watch: DreamWatch, end: float) -> None:
        pause = threading.Event()
        while job.get('status') != 'completed':
            if job.get('status') not in WAITING:
                raise PlanningError(
                    f'the job ended with status {str(job.get("status"))[:40]!r}: {str(job.get("error") or "no reason given")[:300]}'
                )
            if self._clock() > end:
                raise LinkError(f'{self._host} did not finish the video within {self._deadline_s:g} s (deadline_s)')
            share = job.get('progress')
            watch.report(share / 100 if isinstance(share, int | float) and 0 <= share <= 100 else 0.0)
            pause.wait(self._poll_s)
            job = self._call('GET', path, None)

    def _forget(self, path: str) -> None:
        """Ask the server to drop a job; it may be gone itself."""
        try:
            self._fetch('DELETE', path, None, MAX_JSON)
        except (LinkError, PlanningError):
            return

    def _call(self, method: str, path: str, form: tuple[bytes, str] | None) -> dict[str, Any]:
        data = self._fetch(method, path, form, MAX_JSON)
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise PlanningError(f'the answer of {self._host} to {method} {path} is no JSON: {data[:100]!r}') from error
        if not isinstance(answer, dict):
            raise PlanningError(f'the answer of {self._host} to {method} {path} is a {type(answer).__name__}; an object was expected')
        return answer

    def _fetch(self, method: str, path: str, form: tuple[bytes, str] | None, most: int) -> bytes:
        kind = HTTPSConnection if self._secure else HTTPConnection
        connection = kind(self._host, self._port, timeout=min(CONNECT_S, self._deadline_s))
        body, headers = form or (b'', '')
        try:
            connection.request(method, self._root + path, body or None, self._headers | ({'Content-Type': headers} if headers else {}))
            answer = connection.getresponse()
            data = answer.read(most + 1)
        except (OSError, HTTPException, ValueError) as error:
            raise LinkError(
                f'{self._host}:{connection.port} cannot be reached or went away during {method} {path}: {error or type(error).__name__}'
            ) from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise PlanningError(f'the server refuses {method} {path} with status {answer.status}: {data[:300].decode("utf-8", "replace")}')
        if len(data) > most:
            raise PlanningError(f'the answer to {method} {path} is longer than {most} bytes; it is refused')
        return data


def read_video(data: bytes, size: tuple[int, int], horizon: int) -> RgbArray:
    """Return the pictures of an encoded video after its first, which repeats the real one, shape (horizon, H, W, 3).

    Raises:
        PlanningError: If it cannot be decoded, has another size, or too few pictures.
    """
    try:
        pictures = _decode(data, size, horizon + 1)
    except (av.FFmpegError, WireError, ValueError, IndexError) as error:
        raise PlanningError(f'the video of {len(data)} bytes is refused: {error}') from error
    if len(pictures) < horizon + 1:
        raise PlanningError(f'the video has {len(pictures)} pictures, {horizon + 1} were asked for; it is refused')
    return np.stack(pictures[1:])


def _decode(data: bytes, size: tuple[int, int], count: int) -> list[RgbArray]:
    pictures: list[RgbArray] = []
    with av.open(io.BytesIO(data), 'r') as container:
        stream = container.streams.video[0]
        if (stream.height, stream.width) != size:
            raise WireError(f'it is {stream.height} x {stream.width} px, {size[0]} x {size[1]} px were asked for')
        for frame in container.decode(stream):
            pictures.append(np.asarray(frame.to_ndarray(format='rgb24'), dtype=np.uint8))
            if len(pictures) == count:
                break
    return pictures


def _png(rgb: RgbArray) -> bytes:
    done, png = cv2.imencode('.png', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    assert done
    return bytes(png)


def _form(fields: Mapping[str, str], png: bytes) -> tuple[bytes, str]:
    """Return a multipart form with the picture as `input_reference`, and its content type."""
    mark = uuid.uuid4().hex
    lines = [f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    lines.append(
        f'--{mark}\r\nContent-Disposition: form-data; name="input_reference"; filename="now.png"\r\nContent-Type: image/png\r\n\r\n'.encode()
    )
    return b''.join([*lines, png, f'\r\n--{mark}--\r\n'.encode()]), f'multipart/form-data; boundary={mark}'
