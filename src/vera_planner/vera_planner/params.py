# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of planner_node."""

from __future__ import annotations

from dataclasses import dataclass, field

from vera_core.parameter import NodeParams, param


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerParams(NodeParams):
    """How plans are made."""

    robot: str = field(default='panda', metadata=param('embodiment name or path of its YAML file'))
    backend: str = field(
        default='embedded',
        metadata=param('who dreams: embedded, recorded, diffusers, remote, video_api, or a backend another package adds'),
    )
    weights: str = field(default='', metadata=param('folder with the weights of the embedded planner; empty: those of the package'))
    recording: str = field(default='', metadata=param('.npz, .mcap or video file that the recorded planner plays', live=True))
    step_dt_s: float = field(
        default=0.3, metadata=param('time between context frames, and between frames of a recording', unit='s', low=0.02, high=5.0)
    )
    context_len: int = field(default=3, metadata=param('real frames per view a plan is conditioned on', low=1, high=64))
    replan_period_s: float = field(
        default=2.0, metadata=param('a new plan is dreamt this long after the last one', unit='s', low=0.1, high=60.0, live=True)
    )
    seed: int = field(default=0, metadata=param('seed of the first plan; every further one adds one', low=0))
    candidates: int = field(
        default=1, metadata=param('so many plans are dreamt for each choice, the best is followed; more than one on a GPU', low=1, high=16)
    )
    max_plan_tries: int = field(
        default=6, metadata=param('the task ends when so many plans in a row cannot be carried out by this robot', low=1, high=100)
    )
    image_timeout_s: float = field(
        default=1.0, metadata=param('no plan is made from pictures older than this', unit='s', low=0.1, high=10.0)
    )
    task_timeout_s: float = field(
        default=1.0, metadata=param('a task that is not repeated for this long is over', unit='s', low=0.3, high=10.0)
    )
    model: str = field(
        default='',
        metadata=param('diffusers: folder or model id of a pipeline; video_api: model name sent to the server, empty for its only one'),
    )
    device: str = field(default='auto', metadata=param('diffusers: where it computes: auto, cpu, cuda, cuda:1, ...'))
    dtype: str = field(
        default='auto', metadata=param('diffusers: auto (bfloat16 on a GPU, float32 on a CPU), float32, bfloat16 or float16')
    )
    offload: str = field(
        default='none', metadata=param('diffusers: what waits in main memory: none, model or sequential (slowest, least GPU memory)')
    )
    allow_download: bool = field(
        default=False, metadata=param('diffusers: whether a model id may be fetched from the hub; false: it must be on this machine')
    )
    steps: int = field(
        default=0, metadata=param('diffusers, video_api: sampling steps; 0: the number the model was made for', low=0, high=1000)
    )
    guidance: float = field(
        default=-1.0,
        metadata=param('diffusers, video_api: how strongly the sentence steers; negative: as the model was made for', low=-1.0, high=50.0),
    )
    history_guidance: float = field(
        default=-1.0,
        metadata=param('diffusers with VERA weights: how strongly the real frames steer; negative: as trained', low=-1.0, high=50.0),
    )
    negative_prompt: str = field(default='', metadata=param('diffusers, video_api: what the dream is steered away from'))
    horizon: int = field(
        default=0,
        metadata=param('diffusers, video_api: planned frames; 0: as many as the model was made for', unit='frames', low=0, high=400),
    )
    canvas_height: int = field(
        default=0,
        metadata=param(
            'diffusers, video_api: height of the picture with all views side by side; 0: that of the model', unit='px', low=0, high=2048
        ),
    )
    canvas_width: int = field(
        default=0,
        metadata=param(
            'diffusers, video_api: width of the picture with all views side by side; 0: that of the model', unit='px', low=0, high=4096
        ),
    )
    url: str = field(
        default='', metadata=param('remote: ws://host:port of vera serve planner; video_api: http://host:port of the serving engine')
    )
    token_file: str = field(default='', metadata=param('remote, video_api: file with the token of the server, readable by its owner only'))
    deadline_s: float = field(
        default=30.0, metadata=param('remote, video_api: a plan that takes longer is given up', unit='s', low=0.1, high=3600.0)
    )
