# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Robot layer: pictures of all views to one latent, and back to colour and alpha of the robot alone.

Three steps, each simple enough to learn in minutes on one CPU core. `Spotter` finds the robot in a picture and gives its thumbnail:
premultiplied colour and alpha at a quarter of full size. `Pca` turns the thumbnails of all views into one latent and back; it is linear,
so near poses have near latents. `Sharpener` takes the thumbnail that a latent stands for, which is blurred and aligned with the picture,
to the full-size layer. No joint position enters anywhere.

What is small and moves far, such as the fingers of a gripper, is lost in a thumbnail. Points on it, its marks, then stand beside the latent as
pixels: a pose is the latent and the marks of all views, and what lies round the marks is painted once more by a `Refiner`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vera_planner.models.refiner import Modulated, Refiner

CELL = 4
"""Full-size pixels per thumbnail pixel."""
MARK_PX = 5.0
"""Marks in a pose are in units of this many px from the middle of the picture, so that their spreads are like those of latents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSize:
    """Widths of the networks."""

    latent: int = 96
    hidden: int = 256
    width: int = 80
    blocks: int = 2
    half: int = 24
    """Channels at half of full size."""
    spotter: int = 32
    marks: int = 0
    """Points per view whose pixels stand beside the latent."""


class Spotter(nn.Module):
    """One view's picture to the robot's thumbnail."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.PixelUnshuffle(CELL),
            nn.Conv2d(6 * CELL * CELL, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 5, padding=2),
            nn.SiLU(),
            nn.Conv2d(width, 4, 3, padding=1),
        )

    def forward(self, picture: Tensor, plate: Tensor) -> Tensor:
        """Return the thumbnail (B, 4, H/4, W/4): colour times alpha, then alpha, 0..1, from pictures (B, 3, H, W), 0..1."""
        both = torch.cat([picture - plate, picture - 0.5], dim=1)
        out: Tensor = self.body(both.contiguous(memory_format=torch.channels_last))
        return torch.sigmoid(out.float())


def thumbnail(picture: Tensor, mask: Tensor) -> Tensor:
    """Return the true thumbnail (B, 4, H/4, W/4) from a picture (B, 3, H, W) and the robot's coverage (B, 1, H, W), both 0..1."""
    return functional.avg_pool2d(torch.cat([picture * mask, mask], dim=1), CELL)


class Pca(nn.Module):
    """Thumbnails of all views to a latent and back; latents have unit variance on average over their entries."""

    mean: Tensor
    basis: Tensor
    scale: Tensor

    def __init__(self, features: int, latent: int) -> None:
        super().__init__()
        self.register_buffer('mean', torch.zeros(features))
        self.register_buffer('basis', torch.zeros(latent, features))
        self.register_buffer('scale', torch.ones(()))

    def fit(self, rows: Tensor) -> float:
        """Fit to rows of thumbnails (N, features); return the share of the variance that the latent keeps."""
        self.mean.copy_(rows.mean(dim=0))
        centred = rows - self.mean
        gram = (centred @ centred.T).double()
        values, vectors = torch.linalg.eigh(gram)
        count = self.basis.shape[0]
        top = vectors[:, -count:].flip(1).float()
        basis = functional.normalize(top.T @ centred, dim=1)
        self.basis.copy_(basis)
        kept = values[-count:].sum()
        self.scale.copy_((kept / len(rows) / count).sqrt().float())
        return float(kept / values.clamp_min(0).sum())

    def encode(self, thumbnails: Tensor) -> Tensor:
        """Return latents (B, latent) from flattened thumbnails (B, features)."""
        with torch.autocast('cpu', enabled=False):
            return (thumbnails.float() - self.mean) @ self.basis.T / self.scale

    def decode(self, latent: Tensor) -> Tensor:
        """Return flattened thumbnails (B, features)."""
        with torch.autocast('cpu', enabled=False):
            return latent.float() * self.scale @ self.basis + self.mean


class Sharpener(nn.Module):
    """A latent's thumbnail of one view to the robot layer at full size."""

    COARSE = 12

    def __init__(self, rows: int, cols: int, size: LayerSize) -> None:
        super().__init__()
        self.rows, self.cols = rows // CELL, cols // CELL
        # One value per place straight from the latent, at 1/8 of full size: what a blurred thumbnail cannot tell, such as which link is in front.
        self.coarse = nn.Linear(size.hidden, self.COARSE * (self.rows // 2) * (self.cols // 2))
        self.place = nn.Parameter(torch.randn(1, 8, self.rows, self.cols) * 0.1)
        self.enter = nn.Conv2d(4 + self.COARSE + 8, size.width, 3, padding=1)
        self.blocks = nn.ModuleList(Modulated(size.width, size.hidden) for _ in range(size.blocks))
        self.widen = nn.Conv2d(size.width, 4 * size.half, 3, padding=1)
        self.head = nn.Conv2d(size.half, 16, 3, padding=1)

    def forward(self, small: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return colour (B, 3, H, W) and alpha (B, 1, H, W), both 0..1, from a thumbnail (B, 4, H/4, W/4) and latent features."""
        coarse = self.coarse(hidden).view(-1, self.COARSE, self.rows // 2, self.cols // 2)
        coarse = functional.interpolate(coarse, scale_factor=2, mode='bilinear', align_corners=False)
        features = torch.cat([small.to(coarse.dtype), coarse, self.place.to(coarse.dtype).expand(len(small), -1, -1, -1)], dim=1)
        features = functional.silu(self.enter(features.contiguous(memory_format=torch.channels_last)))
        for block in self.blocks:
            features = block(features, hidden)
        features = functional.silu(functional.pixel_shuffle(self.widen(features), 2))
        out = torch.sigmoid(functional.pixel_shuffle(self.head(features), 2).float())
        return out[:, :3], out[:, 3:]


class RobotLayer(nn.Module):
    """Both directions for all views.

    Attributes:
        views: View names in the order of the latent's thumbnails.
        shape: Working size (H, W), px.
    """

    def __init__(self, views: tuple[str, ...], shape: tuple[int, int], size: LayerSize) -> None:
        super().__init__()
        self.views, self.shape, self.size = views, shape, size
        rows, cols = shape
        self.small_shape = (4, rows // CELL, cols // CELL)
        self.spotters = nn.ModuleDict({view: Spotter(size.spotter) for view in views})
        self.pca = Pca(len(views) * self.small_shape[0] * self.small_shape[1] * self.small_shape[2], size.latent)
        self.pose_length = size.latent + 2 * size.marks * len(views)
        self.trunk = nn.Sequential(nn.Linear(size.latent, size.hidden), nn.SiLU(), nn.Linear(size.hidden, size.hidden), nn.SiLU())
        self.sharpeners = nn.ModuleDict({view: Sharpener(rows, cols, size) for view in views})
        if size.marks:
            self.refiners = nn.ModuleDict({view: Refiner(self.pose_length, size.marks) for view in views})
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)

    def spot(self, pictures: Mapping[str, Tensor], plates: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the robot's thumbnail of every view from pictures (B, 3, H, W), 0..1."""
        return {view: spotter(pictures[view], plates[view]) for view, spotter in self.spotters.items()}

    def latent(self, thumbnails: Mapping[str, Tensor]) -> Tensor:
        """Return latents (B, latent) from thumbnails of every view."""
        return self.pca.encode(torch.cat([thumbnails[view].flatten(1) for view in self.views], dim=1))

    def encode(self, pictures: Mapping[str, Tensor], plates: Mapping[str, Tensor]) -> Tensor:
        """Return latents (B, latent) from pictures (B, 3, H, W), 0..1."""
        return self.latent(self.spot(pictures, plates))

    def pose(self, latent: Tensor, marks: Tensor | None = None) -> Tensor:
        """Return poses (..., latent + 2 V K) of latents (..., latent) and marks (..., V, K, 2), px; without marks a pose is the latent."""
        if not self.size.marks:
            return latent
        assert marks is not None
        return torch.cat([latent, ((marks - self._middle) / MARK_PX).flatten(-3)], dim=-1)

    def marks_of(self, pose: Tensor) -> Tensor:
        """Return the marks (..., V, K, 2), px, of poses."""
        marks: Tensor = pose[..., self.size.latent :].unflatten(-1, (len(self.views), self.size.marks, 2))
        return marks * MARK_PX + self._middle

    @property
    def _middle(self) -> Tensor:
        return torch.tensor([self.shape[1] / 2, self.shape[0] / 2])

    def decode(self, pose: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Return per view colour (B, 3, H, W) and alpha (B, 1, H, W), 0..1, from poses (B, pose_length)."""
        layers = self.decode_latent(pose[:, : self.size.latent])
        if not self.size.marks:
            return layers
        marks = self.marks_of(pose)
        return {view: self.refiners[view](*layers[view], pose, marks[:, number]) for number, view in enumerate(self.views)}

    def decode_latent(self, latent: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Return what `decode` does, without what marks tell, from latents (B, latent)."""
        hidden = self.trunk(latent)
        parts = self.pca.decode(latent).unflatten(1, (len(self.views), *self.small_shape))
        return {view: sharpener(parts[:, i], hidden) for i, (view, sharpener) in enumerate(self.sharpeners.items())}

    def settled(self, pose: Tensor, rounds: int) -> Tensor:
        """Return poses (B, pose_length) moved towards those of real robots, by decoding them and reading the decoded robot's own thumbnails again.

        A forecast is a mean over what may come, and the mean of two postures is none. The decoder has only learned robots, so what it paints
        of such a latent is nearer to one than the latent is. Marks are single points and stay. Every round takes one decoding.
        """
        latent, marks = pose[:, : self.size.latent], pose[:, self.size.latent :]
        for _ in range(rounds):
            latent = self.latent({view: thumbnail(*layer) for view, layer in self.decode_latent(latent).items()})
        return torch.cat([latent, marks], dim=1)

    def tuned(self) -> nn.ModuleDict:
        """Return what is worth learning again for a robot that moves in other postures: all of the painter but what is large, the linear maps."""
        parts = ('enter', 'blocks', 'widen', 'head')
        found = {f'{view}_{part}': getattr(sharpener, part) for view, sharpener in self.sharpeners.items() for part in parts}
        return nn.ModuleDict({'trunk': self.trunk, **found})

    def take_over(self, other: RobotLayer) -> None:
        """Begin from the layer of a robot that looks the same but round its marks; nothing is trained until it is asked to be."""
        self.load_state_dict(other.state_dict(), strict=False)
        self.requires_grad_(False)
