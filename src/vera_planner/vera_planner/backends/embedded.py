# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The planner that ships with the package: grounds the sentence, forecasts the robot's latent, paints the robot over the background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, ModelContractError, PlanningError
from vera_core.shapes import RgbArray
from vera_core.types import VideoPlan
from vera_planner.background import BackgroundMemory, paint
from vera_planner.language import SentenceEncoder
from vera_planner.models.dynamics import pad_context
from vera_planner.models.reader import Asked
from vera_planner.mover import Mover
from vera_planner.moving import MOVING, load_moving, robots_that
from vera_planner.planner import PlanRequest, check_prompt, check_request
from vera_planner.reading import READER, check_asked, load_reader
from vera_planner.residual import carry_residual
from vera_planner.weights import LAYER, EmbeddedModel, load_model, shipped_weights

NOTHING_LIMIT = 0.5
"""A sentence is refused when every view gives at least this probability that nothing is named."""
CLEARLY = 0.9
"""A sentence is taken to ask for more than reaching from this probability on, by a robot that can reach."""
SAMPLE_STEPS = 4
"""Sampling steps when a sample is asked for; fewer give the mean plan, whatever the seed."""


class EmbeddedPlanner:
    """Dreams 20 frames of every view in some 0.3 s on one CPU thread."""

    def __init__(
        self,
        robot: Embodiment | None = None,
        weights: str = '',
        *,
        sampling_steps: int = 1,
        carried_frames: int = 8,
        settling_rounds: int = 1,
    ) -> None:
        """Load the networks and the sentence model.

        Args:
            robot: Its views and working size must be those of the weights; None skips the check.
            weights: File, or folder that holds `embedded_ROBOT.safetensors`; empty for the weights of the package.
            sampling_steps: 1 gives the mean plan (a sample only when one is asked for, and of grippers always), more give samples of the seed, 1..16.
            carried_frames: On that many first frames the real robot's texture is carried along, 0..20.
            settling_rounds: How often forecast latents are moved towards those of real robots, 0..4; see `RobotLayer.settled`.

        Raises:
            ModelContractError: If the weights are missing, damaged or made for other views.
            ConfigError: If a number is out of range or the sentence model is not installed.
        """
        if not 1 <= sampling_steps <= 16:
            raise ConfigError(f'sampling_steps is {sampling_steps}; it must be 1..16')
        if carried_frames < 0:
            raise ConfigError(f'carried_frames is {carried_frames}; it must be >= 0')
        if not 0 <= settling_rounds <= 4:
            raise ConfigError(f'settling_rounds is {settling_rounds}; it must be 0..4')
        torch.set_num_threads(1)
        self._robot = robot.name if robot is not None else 'panda'
        path = Path(weights) if weights else shipped_weights(self._robot)
        self.model = load_model(path / LAYER.format(robot=self._robot) if path.is_dir() else path)
        if robot is not None:
            _check_robot(robot, self.model, path)
        self._sentences = SentenceEncoder()
        self._memory = BackgroundMemory(self.model.plates)
        self._plates = {view: _to_tensor(plate) for view, plate in self.model.plates.items()}
        self._steps = sampling_steps
        self._carried, self._rounds = carried_frames, settling_rounds
        self._folder = path if path.is_dir() else path.parent
        reader = self._folder / READER
        self._reader = load_reader(reader).reader if reader.is_file() else None
        self._mover = self._load_mover()
        self.step_dt_s = self.model.step_dt_s
        self.name = f'embedded {path.stem if path.is_file() else path.name}, {sampling_steps} step{"s" if sampling_steps > 1 else ""}'

    def plan(self, request: PlanRequest) -> VideoPlan:
        """Return a plan of 20 frames; see `VideoPlanner.plan`.

        Raises:
            PlanningError: If a view has no picture, the context has another spacing, or the sentence names nothing that is seen.
        """
        views = self.model.views
        check_request(request, views)
        if abs(request.step_dt_s - self.step_dt_s) > 0.05:
            raise PlanningError(
                f'the context is {request.step_dt_s:g} s apart but the weights were trained with {self.step_dt_s:g} s; set step_dt_s to that'
            )
        sentence = self._sentences.encode(check_prompt(request.prompt))
        asked = self._more_than_reach(request.prompt)
        if asked is not None and self._mover is not None:
            frames, confidence = self._mover.dream(request, asked, steps=self._steps_for(request)), min(asked.sure)
        elif not self.model.learned_reach:
            raise PlanningError(
                f"'{request.prompt[:80]}' asks for nothing that the planner of {self._robot} has learned: {', '.join(sorted(self._tasks))}"
            )
        else:
            frames, confidence = self.dream(request, sentence)
        if confidence < 1 - NOTHING_LIMIT:
            raise PlanningError(
                f"'{request.prompt[:80]}' names nothing the planner sees (confidence {confidence:.2f}, {1 - NOTHING_LIMIT:.2f} needed); "
                'name a cube by its colour, for example "touch the red cube"'
            )
        return VideoPlan(
            plan_id=request.plan_id,
            task_id=request.task_id,
            prompt=request.prompt,
            stamp_ns=request.stamp_ns,
            step_dt_s=self.step_dt_s,
            frames=frames,
            context_len=min(3, *(len(request.context[view]) for view in views)),
            model=self.name,
            seed=request.seed,
            confidence=confidence,
        )

    def _steps_for(self, request: PlanRequest) -> int:
        # The mean of closing sooner and later is a hand that closes while it is still coming down: what has fingers is sampled.
        return max(self._steps, SAMPLE_STEPS) if request.is_sample or self.model.marks is not None else self._steps

    def _load_mover(self) -> Mover | None:
        path = self._folder / MOVING.format(robot=self._robot)
        if self._reader is None or not path.is_file():
            return None
        moving = load_moving(path)
        if moving.layer_sha256 != self.model.metadata['sha256']:
            raise ModelContractError(f"weights '{path}' go on from another robot layer than that beside them; make them again for it")
        return Mover(self.model, moving, self._sentences, carried_frames=self._carried, settling_rounds=self._rounds)

    def _more_than_reach(self, prompt: str) -> Asked | None:
        """Return what a sentence asks for when that is clearly more than to reach for something.

        Raises:
            PlanningError: If it asks for a task that these weights have not learned, or leaves out what the task needs.
        """
        if self._reader is None:
            return None
        asked = self._reader.read(*self._sentences.tokens([prompt]))
        if asked.task == 'reach' or (self.model.learned_reach and asked.sure[0] < CLEARLY):
            return None
        known = self._tasks
        # Files are looked at for a refusal only, not for every dream.
        check_asked(asked, prompt, known, self._robot, () if asked.task in known else robots_that(asked.task, self._folder))
        return asked

    @property
    def _tasks(self) -> set[str]:
        """What these weights have learned."""
        return {*(('reach',) if self.model.learned_reach else ()), *(self._mover.tasks if self._mover is not None else ())}

    @torch.no_grad()
    def dream(self, request: PlanRequest, sentence: Tensor) -> tuple[dict[str, RgbArray], float]:
        """Return frames (21, H, W, 3) per view for a sentence vector (384,), and the confidence that it names something, 0..1."""
        views = self.model.views
        context, known = self._latents(request)
        now = {view: request.context[view][-1].rgb for view in views}
        self._memory.begin(request.task_id)
        present = self.model.layer.decode(context[:, 2])
        backgrounds = {view: self._memory.update(view, now[view], present[view][1][0, 0].numpy()) for view in views}
        goals, nothing = [], []
        for view in views:
            found = self.model.grounding(_to_tensor(backgrounds[view]), sentence[None])
            goals.append(found.uv[0] / torch.tensor(self.model.working_size[::-1], dtype=torch.float32))
            nothing.append(float(found.nothing[0]))
        generator = torch.Generator().manual_seed(request.seed)
        path = self.model.dynamics.plan(context, known, torch.cat(goals)[None], steps=self._steps_for(request), generator=generator)[0]
        layers = self.model.layer.decode(self.model.layer.settled(path, self._rounds))
        frames = {}
        for view in views:
            dreamt = paint(layers[view], backgrounds[view])
            if self._carried:
                decoded_now = paint(present[view], backgrounds[view])[0]
                alpha_now, alpha = present[view][1][0, 0].numpy(), layers[view][1][:, 0].numpy()
                dreamt = carry_residual(now[view], decoded_now, alpha_now, dreamt, alpha, count=self._carried)
            frames[view] = np.concatenate([now[view][None], dreamt])
        return frames, 1.0 - min(nothing)

    def background(self, view: str) -> RgbArray:
        """Return what the planner holds to be behind the robot in the task of the last dream, (H, W, 3)."""
        return self._memory.recall(view)

    def _latents(self, request: PlanRequest) -> tuple[Tensor, Tensor]:
        """Return latents at -2, -1, 0, shape (1, 3, latent), and whether the first two are real, shape (1, 2)."""
        views = self.model.views
        count = min(3, *(len(request.context[view]) for view in views))
        pictures = {view: torch.cat([_to_tensor(frame.rgb) for frame in request.context[view][-count:]]) for view in views}
        for view, picture in pictures.items():
            if tuple(picture.shape[2:]) != self.model.working_size:
                raise PlanningError(
                    f"pictures of view '{view}' are {tuple(picture.shape[2:])} px, the weights work at {self.model.working_size}"
                )
        return pad_context(self.model.layer.encode(pictures, self._plates))


def _to_tensor(picture: RgbArray) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def _check_robot(robot: Embodiment, model: EmbeddedModel, path: Path) -> None:
    missing = [view for view in model.views if view not in robot.view_names]
    if missing or robot.working_size != model.working_size:
        raise ModelContractError(
            f"weights '{path}' are for views {', '.join(model.views)} at {model.working_size} px, robot '{robot.name}' has "
            f'{", ".join(robot.view_names)} at {robot.working_size} px; train weights for it with: vera train planner --robot {robot.name}'
        )
