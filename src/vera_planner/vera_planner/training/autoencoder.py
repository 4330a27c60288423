# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Trains the robot layer on independent frames: thumbnails for the spotter; colour, edges and alpha for the sharpener."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vera_core.shapes import RgbArray
from vera_planner.models.robot_layer import RobotLayer, thumbnail
from vera_planner.training.dataset import ClipSet

LATENT_NOISE = 0.05
"""Standard deviation of noise on latents while training, so that an imperfect forecast still gives a clean picture."""


class LayerFrames:
    """Frames ready for the network."""

    def __init__(self, clips: ClipSet, plates: Mapping[str, RgbArray]) -> None:
        self.rgb = {view: torch.from_numpy(frames) for view, frames in clips.frames.items()}
        self.masks = {view: torch.from_numpy(masks) for view, masks in clips.masks.items()}
        self.marks = torch.from_numpy(np.stack([clips.marks[view] for view in clips.views], axis=1)).float()
        """Shape (N, V, M, 2), px."""
        self.plates = {view: torch.from_numpy(plate.copy()).permute(2, 0, 1)[None].float() / 255 for view, plate in plates.items()}

    def __len__(self) -> int:
        return len(next(iter(self.rgb.values())))

    def batch(self, index: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return pictures (B, 3, H, W) and alphas (B, 1, H, W), 0..1, per view."""
        rgb = {view: self.rgb[view][index].permute(0, 3, 1, 2).float() / 255 for view in self.rgb}
        return rgb, {view: self.masks[view][index][:, None].float() / 255 for view in self.rgb}

    def thumbnails(self, index: Tensor) -> dict[str, Tensor]:
        """Return the true thumbnails (B, 4, H/4, W/4) per view."""
        rgb, masks = self.batch(index)
        return {view: thumbnail(rgb[view], masks[view]) for view in rgb}


@torch.no_grad()
def fit_pca(net: RobotLayer, frames: LayerFrames, *, samples: int, generator: torch.Generator) -> float:
    """Fit the linear latent to random frames; return the share of variance kept."""
    index = torch.randperm(len(frames), generator=generator)[:samples]
    parts = [frames.thumbnails(part) for part in torch.split(index, 256)]
    return net.pca.fit(torch.cat([torch.cat([part[view].flatten(1) for view in net.views], dim=1) for part in parts]))


@torch.no_grad()
def true_poses(net: RobotLayer, frames: LayerFrames) -> Tensor:
    """Return the latents of all frames from their true masks, with the true marks where the robot has some, (N, pose_length)."""
    latents = torch.cat([net.latent(frames.thumbnails(part)) for part in torch.split(torch.arange(len(frames)), 256)])
    return net.pose(latents, frames.marks)


def spotter_loss(net: RobotLayer, frames: LayerFrames, index: Tensor) -> Tensor:
    """Mean error of the thumbnails, absolute plus four times squared, and of the latents they give."""
    rgb, masks = frames.batch(index)
    made = net.spot(rgb, frames.plates)
    wanted = {view: thumbnail(rgb[view], masks[view]) for view in rgb}
    total = 0.02 * functional.mse_loss(net.latent(made), net.latent(wanted))
    for view in net.views:
        error = made[view] - wanted[view]
        total = total + error.abs().mean() + 4 * error.square().mean()
    return total


def sharpener_loss(net: RobotLayer, frames: LayerFrames, latents: Tensor, index: Tensor, generator: torch.Generator) -> Tensor:
    """`layer_loss` of one batch of latents (N, latent), all views, without marks."""
    rgb, masks = frames.batch(index)
    latent = latents[index]
    noisy = latent + LATENT_NOISE * torch.randn(latent.shape, generator=generator)
    layers = net.decode_latent(noisy)
    return sum((layer_loss(*layers[view], rgb[view], masks[view], frames.plates[view]) for view in layers), torch.zeros(()))


def layer_loss(colour: Tensor, alpha: Tensor, rgb: Tensor, mask: Tensor, plate: Tensor, more: Tensor | None = None) -> Tensor:
    """Weighted reconstruction error of layers (B, 3, h, w) and (B, 1, h, w), 0..1, against pictures, coverage and plates of the same size.

    On the composite over the plate: |e| + 4 e^2 + 0.5 |gradient of e|, plus 0.5 |alpha error|; pixels on or next to the robot weigh 11
    times the others, and those that `more` (B, 1, h, w) names that much more; the sum is divided by the robot's area, so that a small arm counts
    as much as a large one.
    """
    wanted = torch.where(mask > 0.02, rgb, plate)
    error = alpha * colour + (1 - alpha) * plate - wanted
    near = functional.max_pool2d(mask, 5, 1, 2)
    weight = 0.1 + near if more is None else 0.1 + near + more
    area = near.sum().clamp_min(1.0)
    total = ((error.abs() + 4 * error.square()) * weight).sum() / (3 * area)
    for axis in (2, 3):
        total = total + 0.5 * (error.diff(dim=axis).abs() * weight.narrow(axis, 1, weight.shape[axis] - 1)).sum() / (3 * area)
    return total + 0.5 * ((alpha - mask).abs() * weight).sum() / area


@torch.no_grad()
def layer_quality(net: RobotLayer, frames: LayerFrames, index: Tensor, *, spotted: bool) -> dict[str, float]:
    """Return figures of decoded frames.

    `psnr_db` of the whole composite over the plate, `robot_psnr_db` of robot pixels, `sharpness` (edge energy over the true one) and
    `alpha_error` (relative to the robot's area). Latents come from the pictures when `spotted`, else from the true masks.
    """
    squared, robot, sharp, alphas = [], [], [], []
    for part in torch.split(index, 32):
        rgb, masks = frames.batch(part)
        latent = net.encode(rgb, frames.plates) if spotted else net.latent(frames.thumbnails(part))
        for view, (colour, alpha) in net.decode(net.pose(latent, frames.marks[part])).items():
            plate, mask = frames.plates[view], masks[view]
            wanted = torch.where(mask > 0.02, rgb[view], plate)
            made = alpha * colour + (1 - alpha) * plate
            near = (functional.max_pool2d(mask, 3, 1, 1) > 0.02).float()
            error = (made - wanted).square().mean(dim=1, keepdim=True)
            squared.append(error.mean(dim=(1, 2, 3)))
            robot.append((error * near).sum(dim=(1, 2, 3)) / near.sum(dim=(1, 2, 3)))
            edges = [sum(float((picture * near).diff(dim=axis).abs().sum()) for axis in (2, 3)) for picture in (made, wanted)]
            sharp.append(edges[0] / edges[1])
            alphas.append(float((alpha - mask).abs().sum() / mask.sum()))
    return {
        'psnr_db': float((-10 * torch.cat(squared).log10()).mean()),
        'robot_psnr_db': float((-10 * torch.cat(robot).log10()).mean()),
        'sharpness': float(np.mean(sharp)),
        'alpha_error': float(np.mean(alphas)),
    }
