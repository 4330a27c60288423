# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Dreams of tasks that move an object: robot and object are forecast together, then painted over the background, object first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from vera_core.errors import PlanningError
from vera_core.goals import Goal
from vera_core.shapes import FloatArray, RgbArray
from vera_planner.background import composite
from vera_planner.language import SentenceEncoder
from vera_planner.models.dynamics import pad_context
from vera_planner.models.reader import Asked
from vera_planner.moving import UNTRACKED, MovingModel, from_state, goal_numbers, to_state
from vera_planner.object_layer import ObjectTracker, Sighting, query_of, robot_alphas
from vera_planner.planner import PlanRequest
from vera_planner.residual import carry_residual
from vera_planner.weights import EmbeddedModel
from vera_planner.wordings import sentences

MORE_ROUNDS = 2
"""So many rounds more a dream is settled that is asked for because the one before it was no motion of this robot, and every dream of robots whose
layer has learned from fewer films than that of reach: the check's score of a wide swing went from .66 to .79."""
QUERY_SENTENCES = 24
"""So many sentences of reach say together what a thing looks like."""


class Mover:
    """The part of the embedded planner that moves objects, for one robot."""

    def __init__(
        self, base: EmbeddedModel, moving: MovingModel, encoder: SentenceEncoder, *, carried_frames: int, settling_rounds: int
    ) -> None:
        """Begin without having seen anything.

        Args:
            base: Robot layer and grounding.
            moving: Dynamics that continue its latents.
            encoder: Makes the queries of things.
            carried_frames: On that many first frames the real robot's texture is carried along.
            settling_rounds: See `RobotLayer.settled`.
        """
        self._base, self._moving, self._encoder, self._carried = base, moving, encoder, carried_frames
        self._rounds = settling_rounds
        self._plates = {view: _to_tensor(plate[None]) for view, plate in base.plates.items()}
        self._tracker = ObjectTracker(base.grounding, base.plates)
        self._queries: dict[str, Tensor] = {}

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it has learned."""
        return self._moving.tasks

    @torch.no_grad()
    def dream(self, request: PlanRequest, asked: Asked, *, steps: int) -> dict[str, RgbArray]:
        """Return frames (21, H, W, 3) per view; frame 0 is the present picture.

        Raises:
            PlanningError: If no view shows the object.
        """
        base, views = self._base, self._base.views
        count = min(3, *(len(request.context[view]) for view in views))
        pictures = {view: np.stack([frame.rgb for frame in request.context[view][-count:]]) for view in views}
        thumbnails = base.layer.spot({view: _to_tensor(pictures[view]) for view in views}, self._plates)
        poses, alphas = self._read(thumbnails, pictures)
        self._tracker.begin(request.task_id)
        fingers = base.layer.marks_of(poses).numpy() if base.marks is not None else [None] * count
        look = self._watch if asked.task in UNTRACKED else self._look
        sightings = [look({v: pictures[v][k] for v in views}, {v: alphas[v][k] for v in views}, asked, fingers[k]) for k in range(count)]
        now = sightings[-1]
        if not any(sighting.is_seen.any() for sighting in sightings) and not self._tracker.cutouts:
            raise PlanningError(f"'{request.prompt[:80]}' names {asked.target.replace('_', ' ')}, and no view shows it")
        uv = torch.from_numpy(np.stack([sighting.now for sighting in sightings])).float()
        marks = base.layer.size.marks
        states, known = pad_context(to_state(poses, uv, base.working_size, marks=marks))
        start, onto = (torch.from_numpy(place).float() for place in (now.start, now.onto))
        sizes = torch.from_numpy(now.sizes).float() if self._moving.sized else None
        goal = goal_numbers(asked.task, asked.direction, start, onto, base.working_size, sizes=sizes)[None]
        generator = torch.Generator().manual_seed(request.seed)
        path = self._moving.dynamics.plan(states, known, goal, steps=steps, generator=generator)[0]
        robot, places = from_state(torch.cat([states[0, 2:], path]), len(views), base.working_size, marks=marks)
        more = request.is_sample or not base.learned_reach
        robot = base.layer.settled(robot, self._rounds + (MORE_ROUNDS if more else 0))
        if self._moving.anchor is not None:
            robot = self._moving.anchor(robot)
        stays = asked.task in UNTRACKED
        return self._paint({view: pictures[view][-1] for view in views}, robot, np.asarray(places.numpy(), dtype=np.float64), stays=stays)

    def _read(self, thumbnails: Mapping[str, Tensor], pictures: Mapping[str, RgbArray]) -> tuple[Tensor, dict[str, FloatArray]]:
        """Return the robot's poses (B, pose_length) and where it is in every view, (B, H, W), 0..1."""
        base = self._base
        latents = base.layer.latent(thumbnails)
        if base.marks is None:
            return base.layer.pose(latents), {view: robot_alphas(thumbnails[view], base.working_size) for view in base.views}
        marks = base.marks({view: _to_tensor(pictures[view]) for view in base.views}, self._plates, latents)
        poses = base.layer.pose(latents, marks)
        # A thumbnail is too coarse to tell fingers from what they hold.
        return poses, {view: alpha[:, 0].numpy() for view, (_, alpha) in base.layer.decode(poses).items()}

    def _look(self, pictures: Mapping[str, RgbArray], alphas: Mapping[str, FloatArray], asked: Asked, marks: FloatArray | None) -> Sighting:
        onto = self._query(asked.onto) if asked.onto else None
        return self._tracker.look(pictures, alphas, self._query(asked.target), onto, marks)

    def _watch(
        self, pictures: Mapping[str, RgbArray], alphas: Mapping[str, FloatArray], asked: Asked, marks: FloatArray | None
    ) -> Sighting:
        """Only take in the background: the object is turned where it lies."""
        for view in self._base.views:
            self._tracker.memory.update(view, pictures[view], alphas[view])
        height, width = self._base.working_size
        middle = np.tile(np.array([width / 2, height / 2]), (len(self._base.views), 1))
        return Sighting(now=middle, start=middle, onto=middle, is_seen=np.ones(len(middle), bool), sizes=np.zeros((2, len(middle))))

    def _query(self, thing: str) -> Tensor:
        if thing not in self._queries:
            lines = sorted(set(sentences(Goal(task='reach', target=thing), held_out=False)))
            chosen = [lines[i] for i in np.linspace(0, len(lines) - 1, min(QUERY_SENTENCES, len(lines))).astype(int)]
            self._queries[thing] = query_of(self._base.grounding, self._encoder.encode_all(chosen))
        return self._queries[thing]

    def _paint(self, now: Mapping[str, RgbArray], robot: Tensor, places: FloatArray, *, stays: bool) -> dict[str, RgbArray]:
        """Paint latents 0..T and the object's pixels (T + 1, V, 2) in them; row 0 is the present, as the decoder sees it.

        A robot that stays, but for its fingers, keeps its texture to the end: most of it is where it was.
        """
        layers = self._base.layer.decode(robot)
        frames = {}
        for number, view in enumerate(self._base.views):
            colour, alpha = (part.permute(0, 2, 3, 1).numpy() for part in layers[view])
            painted = composite(colour, alpha, self._tracker.behind(view, places[:, number]))
            dreamt = painted[1:]
            if self._carried:
                count = len(dreamt) if stays else self._carried
                dreamt = carry_residual(now[view], painted[0], alpha[0, ..., 0], dreamt, alpha[1:, ..., 0], count=count, fades=not stays)
            frames[view] = np.concatenate([now[view][None], dreamt])
        return frames


def _to_tensor(pictures: RgbArray) -> Tensor:
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255
