# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The Wan video transformer written out from its published equations, with the published names of its weights. Slow and plain; for comparison only.

x tokens of patches; per token noise level t. e = MLP(sinusoid(t)), (s1 c1 g1 s2 c2 g2) = W silu(e) + m:
x <- x + g1 SelfAttention(LN(x) (1 + c1) + s1); x <- x + CrossAttention(LN'(x), text, image); x <- x + g2 FFN(LN(x) (1 + c2) + s2).
Queries and keys are RMS-normalised over all heads and, in self-attention, turned by angles that grow with frame, row and column (3-D rotary).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def random_weights(
    *, width: int, heads: int, layers: int, hidden: int, channels: int, text: int, image: int = 0, seed: int = 0
) -> dict[str, Tensor]:
    """Random weights under the published names."""
    generator = torch.Generator().manual_seed(seed)
    weights: dict[str, Tensor] = {}

    def linear(name: str, out: int, inside: int) -> None:
        weights[f'{name}.weight'] = torch.randn(out, inside, generator=generator) / math.sqrt(inside)
        weights[f'{name}.bias'] = 0.1 * torch.randn(out, generator=generator)

    def vector(name: str, size: int, around: float) -> None:
        weights[name] = around + 0.1 * torch.randn(size, generator=generator)

    weights['patch_embedding.weight'] = torch.randn(width, channels, 1, 2, 2, generator=generator) / math.sqrt(4 * channels)
    weights['patch_embedding.bias'] = 0.1 * torch.randn(width, generator=generator)
    for name, out, inside in (
        ('text_embedding.0', width, text), ('text_embedding.2', width, width), ('time_embedding.0', width, 256), ('time_embedding.2', width, width),
        ('time_projection.1', 6 * width, width), ('head.head', 4 * 16, width),
    ):  # fmt: skip
        linear(name, out, inside)
    weights['head.modulation'] = torch.randn(1, 2, width, generator=generator) / math.sqrt(width)
    for layer in range(layers):
        block = f'blocks.{layer}'
        for attention in ('self_attn', 'cross_attn'):
            for part in 'qkvo':
                linear(f'{block}.{attention}.{part}', width, width)
            vector(f'{block}.{attention}.norm_q.weight', width, 1.0)
            vector(f'{block}.{attention}.norm_k.weight', width, 1.0)
        if image:
            linear(f'{block}.cross_attn.k_img', width, width)
            linear(f'{block}.cross_attn.v_img', width, width)
            vector(f'{block}.cross_attn.norm_k_img.weight', width, 1.0)
        vector(f'{block}.norm3.weight', width, 1.0)
        vector(f'{block}.norm3.bias', width, 0.0)
        linear(f'{block}.ffn.0', hidden, width)
        linear(f'{block}.ffn.2', width, hidden)
        weights[f'{block}.modulation'] = torch.randn(1, 6, width, generator=generator) / math.sqrt(width)
    if image:
        vector('img_emb.proj.0.weight', image, 1.0)
        vector('img_emb.proj.0.bias', image, 0.0)
        linear('img_emb.proj.1', image, image)
        linear('img_emb.proj.3', width, image)
        vector('img_emb.proj.4.weight', width, 1.0)
        vector('img_emb.proj.4.bias', width, 0.0)
    return weights


def wan(w: dict[str, Tensor], x: Tensor, times: Tensor, text: Tensor, image: Tensor | None, *, heads: int) -> Tensor:
    """Velocity of latents (1, c, F, h, w) whose frames have noise levels (F,), given padded text (1, L, d) and image tokens."""

    def linear(name: str, value: Tensor) -> Tensor:
        return value @ w[f'{name}.weight'].T + w[f'{name}.bias']

    def normal(value: Tensor, name: str = '', eps: float = 1e-6) -> Tensor:
        centred = value - value.mean(-1, keepdim=True)
        scaled = centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + eps)
        return scaled * w[f'{name}.weight'] + w[f'{name}.bias'] if name else scaled

    def rms(value: Tensor, name: str) -> Tensor:
        return value / torch.sqrt(value.square().mean(-1, keepdim=True) + 1e-6) * w[f'{name}.weight']

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        split = [part.unflatten(-1, (heads, -1)).transpose(0, 1) for part in (q, k, v)]
        weights = torch.softmax(split[0] @ split[1].transpose(1, 2) / math.sqrt(split[0].shape[-1]), dim=-1)
        return (weights @ split[2]).transpose(0, 1).flatten(1)

    frames, rows, columns = x.shape[2], x.shape[3] // 2, x.shape[4] // 2
    tokens = F.conv3d(x, w['patch_embedding.weight'], w['patch_embedding.bias'], stride=(1, 2, 2))[0].flatten(1).T
    width = tokens.shape[1]

    levels = times.double().repeat_interleave(rows * columns)
    angle = levels[:, None] * torch.exp(-math.log(10000.0) * torch.arange(128, dtype=torch.float64) / 128)
    wave = torch.cat([angle.cos(), angle.sin()], dim=1).float()
    e = linear('time_embedding.2', F.silu(linear('time_embedding.0', wave)))
    e6 = linear('time_projection.1', F.silu(e)).unflatten(1, (6, width))

    size = width // heads
    parts = (size - 4 * (size // 6), 2 * (size // 6), 2 * (size // 6))  # of a head's channels, for frame, row and column
    places = torch.stack(torch.meshgrid(torch.arange(frames), torch.arange(rows), torch.arange(columns), indexing='ij'), dim=-1).reshape(
        -1, 3
    )
    angles = torch.cat(
        [
            places[:, axis, None].double() / 10000.0 ** (torch.arange(0, part, 2, dtype=torch.float64) / part)
            for axis, part in enumerate(parts)
        ],
        dim=1,
    )
    turn = torch.polar(torch.ones_like(angles), angles)[:, None]

    def rotate(value: Tensor) -> Tensor:
        pairs = torch.view_as_complex(value.double().unflatten(-1, (heads, -1)).unflatten(-1, (-1, 2)))
        return torch.view_as_real(pairs * turn).flatten(1).float()

    sentence = linear('text_embedding.2', F.gelu(linear('text_embedding.0', text[0]), approximate='tanh'))
    seen = None
    if image is not None:
        hidden = F.gelu(linear('img_emb.proj.1', normal(image[0], 'img_emb.proj.0', 1e-5)))
        seen = normal(linear('img_emb.proj.3', hidden), 'img_emb.proj.4', 1e-5)

    layers = 1 + max(int(name.split('.')[1]) for name in w if name.startswith('blocks.'))
    for layer in range(layers):
        own, cross = f'blocks.{layer}.self_attn', f'blocks.{layer}.cross_attn'
        s1, c1, g1, s2, c2, g2 = (e6 + w[f'blocks.{layer}.modulation']).unbind(1)
        y = normal(tokens) * (1 + c1) + s1
        q, k = (rotate(rms(linear(f'{own}.{part}', y), f'{own}.norm_{part}')) for part in 'qk')
        tokens = tokens + g1 * linear(f'{own}.o', attend(q, k, linear(f'{own}.v', y)))
        q = rms(linear(f'{cross}.q', normal(tokens, f'blocks.{layer}.norm3')), f'{cross}.norm_q')
        answer = attend(q, rms(linear(f'{cross}.k', sentence), f'{cross}.norm_k'), linear(f'{cross}.v', sentence))
        if seen is not None:
            answer = answer + attend(q, rms(linear(f'{cross}.k_img', seen), f'{cross}.norm_k_img'), linear(f'{cross}.v_img', seen))
        tokens = tokens + linear(f'{cross}.o', answer)
        y = normal(tokens) * (1 + c2) + s2
        tokens = tokens + g2 * linear(f'blocks.{layer}.ffn.2', F.gelu(linear(f'blocks.{layer}.ffn.0', y), approximate='tanh'))

    shift, scale = (w['head.modulation'] + e[:, None]).unbind(1)
    out = linear('head.head', normal(tokens) * (1 + scale) + shift)
    return out.view(frames, rows, columns, 1, 2, 2, 16).permute(6, 0, 3, 1, 4, 2, 5).reshape(1, 16, frames, 2 * rows, 2 * columns)
