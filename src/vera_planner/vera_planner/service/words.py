# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What planner service and client say to each other, checked on both sides: a message that does not fit is refused whole.

Every message is a map with a `type`. The server speaks first (hello); the client then sends `plan` and `cancel`, the server answers each
`plan` with any number of `progress` and exactly one of `plan`, `refused`, `dropped` or `failed`. Pictures travel as arrays, unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vera_core.codec import field
from vera_core.errors import PlanningError, ShapeError, WireError
from vera_core.shapes import Array, RgbArray, check_shapes
from vera_core.types import Frame, VideoPlan
from vera_planner.planner import DreamWatch, PlanRequest, check_prompt

PROTOCOL = 'vera-planner'
VERSION = 1
MAX_CONTEXT = 64
"""Most context frames per view."""
MAX_PLAN = 400
"""Most frames per view of a plan."""
MAX_VIEWS = 16
MAX_EDGE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a server can do; the first thing it says."""

    robot: str
    views: tuple[str, ...]
    working_size: tuple[int, int]
    """(H, W) of every picture, px."""
    model: str
    plans_once: bool
    """Whether its first plan of a task holds the whole of it."""
    max_context: int = MAX_CONTEXT
    """Context frames per view it takes, at least 1."""


def hello_to_wire(hello: Hello) -> dict[str, Any]:
    """Return the message of a hello."""
    return {
        'type': 'hello',
        'protocol': PROTOCOL,
        'version': VERSION,
        'robot': hello.robot,
        'views': list(hello.views),
        'working_size': list(hello.working_size),
        'model': hello.model,
        'plans_once': hello.plans_once,
        'max_context': hello.max_context,
    }


def hello_from_wire(message: Mapping[str, Any]) -> Hello:
    """Return the hello of a message.

    Raises:
        WireError: If it is no hello, of another protocol or version, or incomplete.
    """
    protocol, version = message.get('protocol'), message.get('version')
    kind = message.get('type')
    if not isinstance(kind, str) or kind != 'hello' or not isinstance(protocol, str) or protocol != PROTOCOL:
        raise WireError(
            f'the server does not speak {PROTOCOL} (it says {str(protocol if isinstance(protocol, str) else sorted(message))[:80]}); is it "vera serve planner"?'
        )
    if not isinstance(version, int) or version != VERSION:
        raise WireError(f'the server speaks version {str(version)[:20]} of {PROTOCOL}, this client version {VERSION}; update the older one')
    views, size = field(message, 'views', list), field(message, 'working_size', list)
    if not views or not all(isinstance(view, str) for view in views) or len(set(views)) != len(views):
        raise WireError(f'the hello names the views {str(views)[:80]}; different names are needed')
    if len(size) != 2 or not all(isinstance(edge, int) and 1 <= edge <= MAX_EDGE for edge in size):
        raise WireError(f'the hello has working_size {str(size)[:80]}; height and width from 1 to {MAX_EDGE} px are needed')
    most = field(message, 'max_context', int, default=MAX_CONTEXT)
    return Hello(
        robot=field(message, 'robot', str),
        views=tuple(views),
        working_size=(size[0], size[1]),
        model=field(message, 'model', str)[:200],
        plans_once=field(message, 'plans_once', bool, default=False),
        max_context=max(1, min(MAX_CONTEXT, most)),
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Order:
    """A plan somebody asks the server for."""

    request_id: int
    deadline_s: float
    """The client waits this long, s."""
    request: PlanRequest


def order_to_wire(request: PlanRequest, request_id: int, *, deadline_s: float, max_context: int) -> dict[str, Any]:
    """Return the message that asks for a plan; of a longer context only the newest `max_context` frames are sent."""
    return {
        'type': 'plan',
        'id': request_id,
        'deadline_s': deadline_s,
        'task_id': request.task_id,
        'plan_id': request.plan_id,
        'prompt': request.prompt,
        'step_dt_s': request.step_dt_s,
        'seed': request.seed,
        'task_age_s': request.task_age_s,
        'context': {
            view: {
                'stamps_ns': [frame.stamp_ns for frame in frames[-max_context:]],
                'frames': np.stack([frame.rgb for frame in frames[-max_context:]]),
            }
            for view, frames in request.context.items()
        },
    }


def order_from_wire(message: Mapping[str, Any], hello: Hello) -> Order:
    """Return what a client asks for.

    Raises:
        WireError: If an entry is missing, of another type or size, or not finite; the text names it.
    """
    prompt = field(message, 'prompt', str)
    try:
        check_prompt(prompt)
    except PlanningError as error:
        raise WireError(str(error)) from error
    step, deadline = field(message, 'step_dt_s', float), field(message, 'deadline_s', float)
    age = field(message, 'task_age_s', float, default=0.0)
    if not (0 < step <= 60 and 0 < deadline <= 3600 and age >= 0):
        raise WireError(f'step_dt_s is {step}, deadline_s {deadline}, task_age_s {age}; 0..60 s, 0..3600 s and at least 0 s are taken')
    numbers = {name: field(message, name, int) for name in ('id', 'task_id', 'plan_id', 'seed')}
    if not all(0 <= value < 2**63 for value in numbers.values()):
        raise WireError(f'the numbers {numbers} must be 0 or more, below 2^63')
    context = field(message, 'context', dict)
    if len(context) > MAX_VIEWS or sorted(map(str, context)) != sorted(hello.views):
        raise WireError(f'the context shows {str(sorted(map(str, context)))[:80]}; this server needs the views {", ".join(hello.views)}')
    request = PlanRequest(
        task_id=numbers['task_id'],
        plan_id=numbers['plan_id'],
        prompt=prompt,
        context={view: _frames(context[view], view, hello) for view in hello.views},
        step_dt_s=step,
        seed=numbers['seed'],
        task_age_s=age,
        watch=DreamWatch(),
    )
    return Order(request_id=numbers['id'], deadline_s=deadline, request=request)


def _frames(entry: Any, view: str, hello: Hello) -> tuple[Frame, ...]:
    if not isinstance(entry, dict):
        raise WireError(f"the context of view '{view}' is a {type(entry).__name__}; a map was expected")
    pictures, stamps = field(entry, 'frames', np.ndarray), field(entry, 'stamps_ns', list)
    _check_pictures(pictures, f"the context of view '{view}'", hello.working_size, 1, hello.max_context)
    rising = all(isinstance(stamp, int) and 0 <= stamp < 2**63 for stamp in stamps) and sorted(set(stamps)) == stamps
    if len(stamps) != len(pictures) or not rising:
        raise WireError(
            f"the context of view '{view}' has {len(pictures)} pictures and stamps {str(stamps)[:80]}; one each, rising, is needed"
        )
    return tuple(Frame(view=view, stamp_ns=stamp, rgb=rgb) for stamp, rgb in zip(stamps, pictures, strict=True))


def _check_pictures(pictures: Array, what: str, size: tuple[int, int], least: int, most: int) -> None:
    if pictures.dtype != np.uint8:
        raise WireError(f'{what} has dtype {pictures.dtype}; uint8 was expected')
    try:
        count = check_shapes(pictures=(pictures, f'T {size[0]} {size[1]} 3'))['T']
    except ShapeError as error:
        raise WireError(f'{what}: {error}') from error
    if not least <= count <= most:
        raise WireError(f'{what} has {count} pictures; {least} to {most} are taken')


def plan_to_wire(plan: VideoPlan, request_id: int) -> dict[str, Any]:
    """Return the message of a finished plan."""
    return {
        'type': 'plan',
        'id': request_id,
        'horizon': plan.horizon,
        'step_dt_s': plan.step_dt_s,
        'context_len': plan.context_len,
        'model': plan.model,
        'seed': plan.seed,
        'confidence': plan.confidence,
        'inference_s': plan.inference_s,
        'frames': dict(plan.frames),
    }


def plan_from_wire(message: Mapping[str, Any], request: PlanRequest) -> VideoPlan:
    """Return the plan in a server's answer to `request`.

    Raises:
        WireError: If a view or frame is missing or too many, a picture has another size or type, frame 0 is not the real picture that was
            sent, or a number is not finite; the plan is refused whole.
    """
    horizon, step = field(message, 'horizon', int), field(message, 'step_dt_s', float)
    confidence = field(message, 'confidence', float, default=1.0)
    if not 1 <= horizon < MAX_PLAN or not 0 < step <= 60 or not 0 <= confidence <= 1:
        raise WireError(
            f'the plan has horizon {horizon}, step_dt_s {step}, confidence {confidence}; 1..{MAX_PLAN - 1}, 0..60 s and 0..1 are taken'
        )
    found = field(message, 'frames', dict)
    if sorted(map(str, found)) != sorted(request.context):
        raise WireError(f'the plan shows the views {str(sorted(map(str, found)))[:80]}; {", ".join(request.context)} were asked for')
    frames: dict[str, RgbArray] = {}
    for view, context in request.context.items():
        newest = context[-1].rgb
        pictures = found[view]
        if not isinstance(pictures, np.ndarray):
            raise WireError(f"the plan's view '{view}' is a {type(pictures).__name__}; an array was expected")
        _check_pictures(pictures, f"the plan's view '{view}'", (newest.shape[0], newest.shape[1]), horizon + 1, horizon + 1)
        if not np.array_equal(pictures[0], newest):
            raise WireError(f"the plan of view '{view}' does not begin with the newest real picture; it belongs to another request")
        frames[view] = pictures
    return VideoPlan(
        plan_id=request.plan_id,
        task_id=request.task_id,
        prompt=request.prompt,
        stamp_ns=request.stamp_ns,
        step_dt_s=step,
        frames=frames,
        context_len=max(1, field(message, 'context_len', int, default=1)),
        model=field(message, 'model', str, default='')[:200],
        seed=request.seed,
        confidence=confidence,
    )
