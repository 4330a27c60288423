# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""RAFT [Teed & Deng 2020] in plain torch, small and large, with the tensor names of torchvision so that its published weights load.

torchvision itself is not imported: its wheel on the package index is built for CUDA and cannot be imported beside a CPU torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FACTOR = 8
"""Flow is found on a grid of this many pixels."""
LEVELS = 4
"""Levels of the correlation pyramid, each half the one before."""
SMALLEST_PX = FACTOR * 2**LEVELS
"""Smaller pictures leave no two cells on the last level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaftConfig:
    """Sizes of one variant."""

    features: tuple[int, int, int, int, int]
    """Channels of the feature encoder: stem, three stages, output."""
    context: int
    """Channels the context encoder puts out: hidden state and context."""
    hidden: int
    radius: int
    """Correlation is looked up this far around a pixel, cells."""
    correlation: tuple[int, ...]
    flow: tuple[int, int]
    motion: int
    kernels: tuple[tuple[int, int], ...]
    """One convolutional GRU per entry."""
    flow_head: int
    bottleneck: bool
    """Encoders of bottleneck blocks, no normalisation of the context, bilinear enlargement; otherwise residual blocks, batch norm, learned."""


SMALL = RaftConfig(
    features=(32, 32, 64, 96, 128),
    context=160,
    hidden=96,
    radius=3,
    correlation=(96,),
    flow=(64, 32),
    motion=82,
    kernels=((3, 3),),
    flow_head=128,
    bottleneck=True,
)
LARGE = RaftConfig(
    features=(64, 64, 96, 128, 256),
    context=256,
    hidden=128,
    radius=4,
    correlation=(256, 192),
    flow=(128, 64),
    motion=128,
    kernels=((1, 5), (5, 1)),
    flow_head=256,
    bottleneck=False,
)

Norm = Literal['instance', 'batch', 'none']


def _unit(inputs: int, outputs: int, kernel: int, *, stride: int = 1, norm: Norm = 'none', active: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)]
    if norm != 'none':
        layers.append(nn.InstanceNorm2d(outputs) if norm == 'instance' else nn.BatchNorm2d(outputs))
    if active:
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


class Block(nn.Module):
    """Two 3 x 3 convolutions, or a bottleneck of three, beside a short cut."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: Norm, *, bottleneck: bool) -> None:
        super().__init__()
        self.bottleneck = bottleneck
        if bottleneck:
            narrow = outputs // 4
            self.convnormrelu1 = _unit(inputs, narrow, 1, norm=norm)
            self.convnormrelu2 = _unit(narrow, narrow, 3, stride=stride, norm=norm)
            self.convnormrelu3 = _unit(narrow, outputs, 1, norm=norm)
        else:
            self.convnormrelu1 = _unit(inputs, outputs, 3, stride=stride, norm=norm)
            self.convnormrelu2 = _unit(outputs, outputs, 3, norm=norm)
        self.downsample = nn.Identity() if stride == 1 else _unit(inputs, outputs, 1, stride=stride, norm=norm, active=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return shape (B, outputs, h / stride, w / stride)."""
        y = self.convnormrelu2(self.convnormrelu1(x))
        if self.bottleneck:
            y = self.convnormrelu3(y)
        return torch.relu(self.downsample(x) + y)


class Encoder(nn.Module):
    """Picture to features on the grid of 8 px."""

    def __init__(self, channels: Sequence[int], norm: Norm, *, bottleneck: bool) -> None:
        super().__init__()
        stem, *stages, outputs = channels
        self.convnormrelu = _unit(3, stem, 7, stride=2, norm=norm)
        widths = [stem, *stages]
        for number, stride in enumerate((1, 2, 2)):
            first = Block(widths[number], widths[number + 1], stride, norm, bottleneck=bottleneck)
            second = Block(widths[number + 1], widths[number + 1], 1, norm, bottleneck=bottleneck)
            self.add_module(f'layer{number + 1}', nn.Sequential(first, second))
        self.conv = nn.Conv2d(widths[-1], outputs, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """Return shape (B, outputs, H / 8, W / 8)."""
        x = self.convnormrelu(picture)
        for number in (1, 2, 3):
            x = self.get_submodule(f'layer{number}')(x)
        return torch.as_tensor(self.conv(x))


class MotionEncoder(nn.Module):
    """Correlation and present flow to motion features."""

    def __init__(self, config: RaftConfig) -> None:
        super().__init__()
        self.convcorr1 = _unit(LEVELS * (2 * config.radius + 1) ** 2, config.correlation[0], 1)
        self.convcorr2 = _unit(*config.correlation, 3) if len(config.correlation) == 2 else nn.Identity()
        self.convflow1 = _unit(2, config.flow[0], 7)
        self.convflow2 = _unit(*config.flow, 3)
        self.conv = _unit(config.correlation[-1] + config.flow[-1], config.motion - 2, 3)

    def forward(self, flow: Tensor, correlation: Tensor) -> Tensor:
        """Return shape (B, motion, h, w); the last two channels are the flow itself."""
        both = torch.cat([self.convcorr2(self.convcorr1(correlation)), self.convflow2(self.convflow1(flow))], dim=1)
        return torch.cat([self.conv(both), flow], dim=1)


class Gru(nn.Module):
    """Convolutional gated recurrent unit."""

    def __init__(self, inputs: int, hidden: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.convz, self.convr, self.convq = (nn.Conv2d(hidden + inputs, hidden, kernel, padding=padding) for _ in range(3))

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return the next hidden state."""
        both = torch.cat([hidden, x], dim=1)
        update, reset = torch.sigmoid(self.convz(both)), torch.sigmoid(self.convr(both))
        candidate = torch.tanh(self.convq(torch.cat([reset * hidden, x], dim=1)))
        return (1 - update) * hidden + update * candidate


class Recurrence(nn.Module):
    """One GRU, or two: along rows, then along columns."""

    def __init__(self, inputs: int, hidden: int, kernels: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        for number, kernel in enumerate(kernels, 1):
            self.add_module(f'convgru{number}', Gru(inputs, hidden, kernel))

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return the next hidden state."""
        for gru in self.children():
            hidden = gru(hidden, x)
        return hidden


class FlowHead(nn.Module):
    """Hidden state to a change of the flow."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(hidden, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return shape (B, 2, h, w), cells."""
        return torch.as_tensor(self.conv2(torch.relu(self.conv1(hidden))))


class Update(nn.Module):
    """One look-up to a better flow."""

    def __init__(self, config: RaftConfig) -> None:
        super().__init__()
        self.motion_encoder = MotionEncoder(config)
        self.recurrent_block = Recurrence(config.motion + config.context - config.hidden, config.hidden, config.kernels)
        self.flow_head = FlowHead(config.hidden, config.flow_head)

    def forward(self, hidden: Tensor, context: Tensor, correlation: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next hidden state and the change of the flow."""
        hidden = self.recurrent_block(hidden, torch.cat([context, self.motion_encoder(flow, correlation)], dim=1))
        return hidden, self.flow_head(hidden)


class MaskPredictor(nn.Module):
    """Hidden state to the weights of the learned enlargement."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.convrelu = _unit(hidden, 256, 3)
        self.conv = nn.Conv2d(256, 9 * FACTOR**2, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return shape (B, 9 * 64, h, w); scaled down to balance gradients, as in the paper."""
        return torch.as_tensor(0.25 * self.conv(self.convrelu(hidden)))


class Raft(nn.Module):
    """Flow by looking up the correlation of all pairs of cells again and again."""

    def __init__(self, config: RaftConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_encoder = Encoder(config.features, 'instance', bottleneck=config.bottleneck)
        context_norm: Norm = 'none' if config.bottleneck else 'batch'
        self.context_encoder = Encoder((*config.features[:4], config.context), context_norm, bottleneck=config.bottleneck)
        self.update_block = Update(config)
        self.mask_predictor = None if config.bottleneck else MaskPredictor(config.hidden)

    def forward(self, source: Tensor, target: Tensor, updates: int = 12) -> Tensor:
        """Return the flow, shape (B, 2, H, W), px.

        Args:
            source: Picture whose pixels are followed, shape (B, 3, H, W), -1..1, H and W multiples of 8 and at least 128.
            target: Picture they are looked for in.
            updates: Look-ups.
        """
        first, second = self.feature_encoder(torch.cat([source, target])).chunk(2)
        pyramid = _correlations(first, second)
        out = self.context_encoder(source)
        hidden, context = torch.tanh(out[:, : self.config.hidden]), torch.relu(out[:, self.config.hidden :])
        flow = torch.zeros_like(out[:, :2])
        for _ in range(updates):
            hidden, change = self.update_block(hidden, context, _look_up(pyramid, flow, self.config.radius), flow)
            flow = flow + change
        return _enlarge(flow, None if self.mask_predictor is None else self.mask_predictor(hidden))


def _correlations(first: Tensor, second: Tensor) -> list[Tensor]:
    """Every cell with every cell, then with ever larger ones: shapes (B h w, 1, h / 2^i, w / 2^i)."""
    batch, channels, rows, columns = first.shape
    volume = torch.einsum('bcp,bcq->bpq', first.flatten(2), second.flatten(2)) / channels**0.5
    pyramid = [volume.reshape(batch * rows * columns, 1, rows, columns)]
    while len(pyramid) < LEVELS:
        pyramid.append(F.avg_pool2d(pyramid[-1], 2))
    return pyramid


def _look_up(pyramid: Sequence[Tensor], flow: Tensor, radius: int) -> Tensor:
    """Correlation of each cell around the place it has moved to, shape (B, levels * (2 r + 1)², h, w)."""
    batch, _, rows, columns = flow.shape
    v, u = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing='ij')
    there = (torch.stack([u, v]).to(flow) + flow).permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
    # The first axis of the window is added to u: the order the published weights were trained with.
    offsets = torch.arange(-radius, radius + 1).to(flow)
    window = torch.stack(torch.meshgrid(offsets, offsets, indexing='ij'), dim=-1)
    found = []
    for level, volume in enumerate(pyramid):
        size = torch.tensor([volume.shape[3] - 1, volume.shape[2] - 1]).to(flow)
        grid = 2 * (there / 2**level + window) / size - 1
        found.append(F.grid_sample(volume, grid, align_corners=True).reshape(batch, rows, columns, -1))
    return torch.cat(found, dim=-1).permute(0, 3, 1, 2)


def _enlarge(flow: Tensor, mask: Tensor | None) -> Tensor:
    """Flow of cells to flow of pixels: bilinear, or a learned mean of the 3 x 3 cells around."""
    if mask is None:
        return FACTOR * F.interpolate(flow, scale_factor=FACTOR, mode='bilinear', align_corners=True)
    batch, _, rows, columns = flow.shape
    share = mask.reshape(batch, 1, 9, FACTOR, FACTOR, rows, columns).softmax(dim=2)
    around = F.unfold(FACTOR * flow, 3, padding=1).reshape(batch, 2, 9, 1, 1, rows, columns)
    fine = (share * around).sum(dim=2)
    return fine.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, FACTOR * rows, FACTOR * columns)
