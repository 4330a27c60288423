# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How each family of diffusers pipelines is asked: what it takes as context, on which grid its frames lie, what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vera_core.errors import ModelContractError, nearest_name_hint
from vera_core.shapes import RgbArray

OnStep = Callable[[float], None]
"""Told the share of the dream that is done, 0..1; raises to end it."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DreamOrder:
    """What a pipeline is asked for."""

    context: RgbArray
    """Real canvas pictures, oldest first, shape (T, H, W, 3); T is a length the family takes."""
    prompt: str
    negative_prompt: str
    horizon: int
    """Frames wanted beyond the context."""
    steps: int
    """0: the pipeline's own."""
    guidance: float
    """Negative: the pipeline's own."""
    seed: int
    on_step: OnStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of pipeline."""

    title: str
    multiple: int
    """Height and tile width of the canvas are multiples of this, px."""
    frame_grid: int
    """Videos have `frame_grid` k + 1 frames."""
    most_context: int
    """Context frames it takes, at most."""
    horizon: int
    """Frames beyond the context it was made for."""
    steps: int
    """Sampling steps it was made for."""
    dream: Callable[[Any, DreamOrder], RgbArray]
    """Pipeline and order to the frames beyond the context, shape (T, H, W, 3)."""

    def context_len(self, available: int) -> int:
        """Return how many of the newest frames are used: a length on the grid, never filled up by repetition."""
        return (min(available, self.most_context) - 1) // self.frame_grid * self.frame_grid + 1

    def video_len(self, context: int, horizon: int) -> int:
        """Return the length on the grid that holds context and horizon."""
        return -(-(context + horizon - 1) // self.frame_grid) * self.frame_grid + 1


def family_of(name: str) -> Family:
    """Return how pipelines of a class are asked.

    Raises:
        ModelContractError: If the class is not one of these families.
    """
    if name not in FAMILIES:
        raise ModelContractError(f"pipeline '{name}' is none this planner knows; {nearest_name_hint(name, FAMILIES)}")
    return FAMILIES[name]


def _common(order: DreamOrder, family: Family) -> dict[str, Any]:
    height, width = order.context.shape[1:3]
    steps = order.steps or family.steps

    def on_step_end(_: Any, step: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        order.on_step((step + 1) / (steps + 1))
        return tensors

    options = {
        'prompt': order.prompt,
        'negative_prompt': order.negative_prompt or None,
        'height': height,
        'width': width,
        'num_frames': family.video_len(len(order.context), order.horizon),
        'num_inference_steps': steps,
        'generator': torch.Generator('cpu').manual_seed(order.seed),
        'output_type': 'np',
        'callback_on_step_end': on_step_end,
    }
    return options | ({'guidance_scale': order.guidance} if order.guidance >= 0 else {})


def _beyond(output: Any, order: DreamOrder) -> RgbArray:
    frames = np.asarray(output.frames[0])
    if not np.isfinite(frames).all():
        raise ModelContractError('the pipeline returned pictures that are not finite; try dtype float32 or bfloat16')
    first = len(order.context)
    return np.asarray(np.round(frames[first : first + order.horizon].clip(0, 1) * 255), dtype=np.uint8)


def _wan_image_to_video(pipeline: Any, order: DreamOrder) -> RgbArray:
    options = _common(order, FAMILIES['WanImageToVideoPipeline'])
    return _beyond(pipeline(image=_picture(order.context[-1]), **options), order)


def _wan_text_to_video(pipeline: Any, order: DreamOrder) -> RgbArray:
    """A model without picture input continues real frames all the same: after every step their latents are put back at its noise level."""
    options = _common(order, FAMILIES['WanPipeline'])
    generator = torch.Generator('cpu').manual_seed(order.seed + 1)
    known = encode_wan(pipeline.vae, order.context)
    noise = torch.randn(known.shape, generator=generator).to(known)
    report = options['callback_on_step_end']

    def put_back(pipe: Any, step: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        level = float(pipe.scheduler.sigmas[step + 1])
        latents = tensors['latents']
        latents[:, :, : known.shape[2]] = ((1 - level) * known + level * noise).to(latents)
        changed = report(pipe, step, time, tensors | {'latents': latents})
        assert isinstance(changed, dict)
        return changed

    return _beyond(pipeline(**(options | {'callback_on_step_end': put_back})), order)


def _ltx_condition(pipeline: Any, order: DreamOrder) -> RgbArray:
    from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition

    options = _common(order, FAMILIES['LTXConditionPipeline'])
    condition = LTXVideoCondition(video=[_picture(rgb) for rgb in order.context], frame_index=0)
    return _beyond(pipeline(conditions=[condition], **options), order)


def _picture(rgb: RgbArray) -> Any:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(rgb))


@torch.no_grad()
def encode_wan(vae: Any, frames: RgbArray) -> Tensor:
    """Return the normalised latents of pictures (4k + 1, H, W, 3), shape (1, z, k + 1, H / 8, W / 8): the mean of the encoder's distribution."""
    video = torch.from_numpy(np.array(frames)).permute(3, 0, 1, 2)[None].to(vae.device, vae.dtype) / 127.5 - 1
    latents: Tensor = vae.encode(video).latent_dist.mode()
    mean, std = wan_statistics(vae, latents)
    return (latents - mean) / std


def wan_statistics(vae: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the latent channels, shape (1, z, 1, 1, 1)."""
    mean, std = (torch.tensor(getattr(vae.config, name)).view(1, -1, 1, 1, 1).to(like) for name in ('latents_mean', 'latents_std'))
    return mean, std


FAMILIES: Mapping[str, Family] = {
    'WanImageToVideoPipeline': Family(
        title='Wan image to video', multiple=32, frame_grid=4, most_context=1, horizon=80, steps=50, dream=_wan_image_to_video
    ),
    'WanPipeline': Family(
        title='Wan text to video, real frames by replacement',
        multiple=16,
        frame_grid=4,
        most_context=41,
        horizon=40,
        steps=50,
        dream=_wan_text_to_video,
    ),
    'LTXConditionPipeline': Family(
        title='LTX with video condition', multiple=32, frame_grid=8, most_context=57, horizon=104, steps=50, dream=_ltx_condition
    ),
}
"""Class name of a pipeline to how it is asked."""
