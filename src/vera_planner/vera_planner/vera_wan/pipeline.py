# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Sampling of VERA's Wan planners: real frames stay clean in the sequence, the future is denoised beside them, with guidance by text and history.

Equations as published: velocity v, text weight l, history weight h, v = (1 + l + h) v(text) - l v(negative text) - h v(history replaced by noise).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from vera_core.errors import ConfigError, ModelContractError
from vera_core.shapes import FloatArray, RgbArray
from vera_planner.backends.diffusers_families import DreamOrder, Family, encode_wan, wan_statistics
from vera_planner.backends.diffusers_loading import Place, import_diffusers, load_part
from vera_planner.vera_wan.page import WanPage

TRAIN_STEPS = 1000
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
CLIP_EDGE = 224


def published_sigmas(steps: int) -> FloatArray:
    """Return the noise levels before the shift, shape (steps,): from the highest of 1000 training levels down, 0 left out."""
    return np.linspace((TRAIN_STEPS - 1) / TRAIN_STEPS, 0.0, steps + 1)[:-1]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VeraWan:
    """A converted checkpoint with its frozen parts."""

    page: WanPage
    transformer: Any
    vae: Any
    text_encoder: Any
    """None for weights that ignore text."""
    tokenizer: Any
    image_encoder: Any
    """None for weights without image tokens."""
    device: str

    @property
    def family(self) -> Family:
        """How the planner asks this model."""
        page = self.page
        return Family(
            title=f'VERA Wan {page.context_latents}+{page.future_latents} latents',
            multiple=16,
            frame_grid=4,
            most_context=4 * page.context_latents - 3,
            horizon=4 * page.future_latents,
            steps=page.steps,
            dream=dream,
        )

    def velocity(self, latents: Tensor, times: Tensor, text: Tensor, image: Tensor | None) -> Tensor:
        """Return the predicted velocity.

        Args:
            latents: Context and future, shape (1, z, F, h, w).
            times: Noise level of every latent frame, shape (F,), 0..1000.
            text: Padded sentence, shape (1, text_tokens, d).
            image: Image tokens, shape (1, 257, d), or None.
        """
        patch = self.transformer.config.patch_size
        tokens = (latents.shape[3] // patch[1]) * (latents.shape[4] // patch[2])
        missing = self.transformer.config.in_channels - latents.shape[1]
        if missing:  # image models see mask and picture channels, which are all zero in these weights
            latents = torch.cat([latents, latents.new_zeros(1, missing, *latents.shape[2:])], dim=1)
        out: Tensor = self.transformer(
            hidden_states=latents.to(self.transformer.dtype),
            timestep=times[None].repeat_interleave(tokens, dim=1),
            encoder_hidden_states=text,
            encoder_hidden_states_image=image,
            return_dict=False,
        )[0]
        return out.float()

    def encode_text(self, sentence: str) -> Tensor:
        """Return the sentence as the text encoder says it, then zeros up to the trained length, shape (1, text_tokens, d)."""
        length, width = self.page.text_tokens, self.transformer.config.text_dim
        if not self.page.uses_text:
            return torch.zeros(1, length, width, device=self.device, dtype=self.transformer.dtype)
        tokens = self.tokenizer(
            [sentence], padding='max_length', max_length=length, truncation=True, return_attention_mask=True, return_tensors='pt'
        )
        mask = tokens.attention_mask.to(self.device)
        states: Tensor = self.text_encoder(tokens.input_ids.to(self.device), mask).last_hidden_state
        padded: Tensor = (states * mask[..., None]).to(self.transformer.dtype)
        return padded

    def encode_image(self, rgb: RgbArray) -> Tensor | None:
        """Return the image tokens of the whole canvas (H, W, 3), squashed to the encoder's square: nothing is cropped away."""
        if self.image_encoder is None:
            return None
        edge = int(self.image_encoder.config.image_size)
        square = cv2.resize(rgb, (edge, edge), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
        pixels = torch.from_numpy((square - np.asarray(CLIP_MEAN, np.float32)) / np.asarray(CLIP_STD, np.float32)).permute(2, 0, 1)[None]
        states = self.image_encoder(pixels.to(self.device, self.image_encoder.dtype), output_hidden_states=True).hidden_states[-2]
        assert isinstance(states, Tensor)
        return states.to(self.transformer.dtype)

    def encode_frames(self, canvas: RgbArray) -> Tensor:
        """Return latents of canvas pictures (4k + 1, H, W, 3), shape (1, z, k + 1, h, w); every tile is encoded on its own."""
        return torch.cat([encode_wan(self.vae, tile) for tile in np.split(canvas, self.page.tiles, axis=2)], dim=-1).float()

    def decode_frames(self, latents: Tensor) -> RgbArray:
        """Return canvas pictures (4 F - 3, H, W, 3) of latents (1, z, F, h, w); every tile is decoded on its own."""
        mean, std = wan_statistics(self.vae, latents)
        tiles = (latents * std + mean).chunk(self.page.tiles, dim=-1)
        video = torch.cat([self.vae.decode(tile.to(self.vae.dtype), return_dict=False)[0] for tile in tiles], dim=-1).float()
        if not torch.isfinite(video).all():
            raise ModelContractError('the model returned pictures that are not finite; try dtype float32 or bfloat16')
        pictures = ((video[0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return np.ascontiguousarray(pictures.permute(1, 2, 3, 0).cpu().numpy())


def dream(model: VeraWan, order: DreamOrder) -> RgbArray:
    """Return the planned canvas pictures, shape (horizon, H, W, 3), at most 4 M.

    Raises:
        ConfigError: If more frames are wanted than the model was trained for.
        PlanningError: If the dream is cancelled.
    """
    page = model.page
    if order.horizon > 4 * page.future_latents:
        raise ConfigError(
            f'horizon is {order.horizon} frames, the weights were trained for {4 * page.future_latents}; set horizon to 0 or less than that'
        )
    known = model.encode_frames(order.context)
    generator = torch.Generator('cpu').manual_seed(order.seed)
    future = _noise((*known.shape[:2], page.future_latents, *known.shape[3:]), generator, known)
    text, image = model.encode_text(order.prompt), model.encode_image(order.context[0])
    text_weight = (page.guidance if order.guidance < 0 else order.guidance) if page.uses_text else 0.0
    history_weight = page.history_guidance if page.uses_text else 0.0
    negative = model.encode_text(order.negative_prompt) if text_weight else text
    scheduler = _scheduler(page.shift)
    scheduler.set_timesteps(sigmas=published_sigmas(order.steps or page.steps), device=model.device)
    # Clean context is labelled with the last, lowest noise level; a history that is only noise with the first, highest one.
    first, last = float(scheduler.timesteps[0]), float(scheduler.timesteps[-1])
    for step, time in enumerate(scheduler.timesteps):
        past = torch.full((known.shape[2],), last, device=known.device)
        ahead = torch.full((page.future_latents,), float(time), device=known.device)
        latents = torch.cat([known, future], dim=2)
        velocity = (1 + text_weight + history_weight) * model.velocity(latents, torch.cat([past, ahead]), text, image)
        if text_weight:
            velocity = velocity - text_weight * model.velocity(latents, torch.cat([past, ahead]), negative, image)
        if history_weight:
            forgotten = torch.cat([_noise(known.shape, generator, known), future], dim=2)
            velocity = velocity - history_weight * model.velocity(forgotten, torch.cat([torch.full_like(past, first), ahead]), text, image)
        future = scheduler.step(velocity[:, :, known.shape[2] :], time, future, return_dict=False)[0]
        order.on_step((step + 1) / (len(scheduler.timesteps) + 1))
    planned = model.decode_frames(torch.cat([known, future], dim=2))[-4 * page.future_latents :]
    return planned[: order.horizon]


class PublishedTimes(nn.Module):
    """Noise levels as waves, computed in double precision as the published network does; diffusers' single precision is off by 1e-4 at level 999."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.count = size // 2

    def forward(self, times: Tensor) -> Tensor:
        """Return the waves of levels (n,), shape (n, size)."""
        rates = torch.exp(-math.log(10000.0) * torch.arange(self.count, dtype=torch.float64, device=times.device) / self.count)
        angles = times.double()[:, None] * rates
        return torch.cat([angles.cos(), angles.sin()], dim=1).float()


def load_vera_wan(folder: Path, page: WanPage, place: Place, *, history_guidance: float = -1.0) -> VeraWan:
    """Return the model of a converted folder.

    Raises:
        ConfigError: If offloading is asked for, which this sampler does not do, or diffusers is missing.
        ModelContractError: If a part is missing, cut short, or of another size.
    """
    if place.offload != 'none':
        raise ConfigError(f"offload is '{place.offload}'; VERA's weights are sampled without offloading, set it to none")
    diffusers = import_diffusers()
    import transformers

    if history_guidance >= 0:
        page = replace(page, history_guidance=history_guidance)
    options = {'torch_dtype': place.dtype, 'use_safetensors': True}
    transformer = load_part(diffusers.WanTransformer3DModel, str(folder), place, subfolder='transformer', **options).to(place.device).eval()
    transformer.condition_embedder.timesteps_proj = PublishedTimes(transformer.config.freq_dim)
    vae = (
        load_part(diffusers.AutoencoderKLWan, page.base, place, subfolder='vae', torch_dtype=torch.float32, use_safetensors=True)
        .to(place.device)
        .eval()
    )
    text_encoder = tokenizer = image_encoder = None
    if page.uses_text:
        tokenizer = load_part(transformers.AutoTokenizer, page.base, place, subfolder='tokenizer')
        text_encoder = (
            load_part(transformers.UMT5EncoderModel, page.base, place, subfolder='text_encoder', **options).to(place.device).eval()
        )
    if transformer.config.image_dim is not None:
        image_encoder = (
            load_part(transformers.CLIPVisionModel, page.base, place, subfolder='image_encoder', **options).to(place.device).eval()
        )
        if page.text_tokens != 512:
            raise ModelContractError(f'image models split image from text tokens at 512, the page says text_tokens {page.text_tokens}')
    return VeraWan(
        page=page,
        transformer=transformer,
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        image_encoder=image_encoder,
        device=place.device,
    )


def _scheduler(shift: float) -> Any:
    return import_diffusers().UniPCMultistepScheduler(
        num_train_timesteps=TRAIN_STEPS,
        prediction_type='flow_prediction',
        use_flow_sigmas=True,
        flow_shift=shift,
        solver_order=2,
    )


def _noise(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    return torch.randn(shape, generator=generator).to(like)
