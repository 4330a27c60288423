# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Video models of Hugging Face diffusers, and VERA's released Wan weights, as planners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, ModelContractError, PlanningError
from vera_core.types import VideoPlan
from vera_planner.backends.canvas import Canvas, make_canvas, plan_of, shared_context
from vera_planner.backends.diffusers_families import DreamOrder, Family, family_of
from vera_planner.backends.diffusers_loading import import_diffusers, load_pipeline, make_place, pipeline_class
from vera_planner.planner import PlanRequest, check_request
from vera_planner.vera_wan.page import PAGE, read_page

MAX_HORIZON = 400


class DiffusersPlanner:
    """Dreams with a pipeline chosen by folder or model id. Planned frames are as far apart as the context frames are."""

    is_shared = True  # a model of this size is loaded once; it keeps nothing between requests

    def __init__(
        self,
        robot: Embodiment,
        model: str,
        *,
        device: str = 'auto',
        dtype: str = 'auto',
        offload: str = 'none',
        allow_download: bool = False,
        steps: int = 0,
        guidance: float = -1.0,
        history_guidance: float = -1.0,
        negative_prompt: str = '',
        horizon: int = 0,
        canvas_height: int = 0,
        canvas_width: int = 0,
    ) -> None:
        """Load the model; parameters as in `PlannerParams`.

        Raises:
            ConfigError: If diffusers is missing, the model is not there, or a parameter does not fit it.
            ModelContractError: If the weights are cut short, not safetensors, or of an unknown family.
        """
        if not 0 <= steps <= 1000 or not 0 <= horizon <= MAX_HORIZON:
            raise ConfigError(f'steps is {steps} and horizon {horizon}; 0..1000 and 0..{MAX_HORIZON} are taken')
        place = make_place(device, dtype, offload, allow_download=allow_download)
        import_diffusers()
        self._views = robot.view_names
        self._steps, self._guidance, self._negative = steps, guidance, negative_prompt
        if (Path(model).expanduser() / PAGE).is_file():
            from vera_planner.vera_wan.pipeline import load_vera_wan

            page = read_page(Path(model).expanduser())
            self._pipeline: Any = load_vera_wan(Path(model).expanduser(), page, place, history_guidance=history_guidance)
            self._family: Family = self._pipeline.family
            self._canvas: Canvas = make_canvas(self._views, robot.working_size, *page.canvas, multiple=16, tiles=page.tiles)
        else:
            name = pipeline_class(model, place)
            self._family = family_of(name)
            self._canvas = make_canvas(self._views, robot.working_size, canvas_height, canvas_width, multiple=self._family.multiple)
            self._pipeline = load_pipeline(model, name, place)
        self._horizon = horizon or self._family.horizon
        self.name = f'diffusers {Path(model).name}, {self._family.title}, {str(place.dtype).removeprefix("torch.")} on {place.device}'

    def plan(self, request: PlanRequest) -> VideoPlan:
        """Return a plan; see `VideoPlanner.plan`. Progress is reported at every sampling step.

        Raises:
            PlanningError: If a view has no picture, the dream is cancelled, or the GPU runs out of memory.
        """
        check_request(request, self._views)
        count = self._family.context_len(shared_context(request, self._views))
        order = DreamOrder(
            context=self._canvas.put(request.context, count),
            prompt=request.prompt,
            negative_prompt=self._negative,
            horizon=self._horizon,
            steps=self._steps,
            guidance=self._guidance,
            seed=request.seed,
            on_step=request.watch.report,
        )
        try:
            with torch.inference_mode():
                future = self._family.dream(self._pipeline, order)
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise PlanningError(
                f'the GPU ran out of memory at a canvas of {self._canvas.size} px and {self._horizon} frames: {str(error)[:200]}; '
                'set a smaller horizon or canvas, or offload'
            ) from error
        except ModelContractError as error:
            raise PlanningError(str(error)) from error
        return plan_of(request, self._canvas, future, context_len=count, model=self.name)
