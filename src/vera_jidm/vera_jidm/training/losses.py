# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the field is trained to do, each loss scaled so that a field that is zero everywhere scores 1.0."""

from __future__ import annotations

import torch
from torch import Tensor


def joint_weights(energy: Tensor) -> Tensor:
    """Return E^-1/2 per view and joint, so that joints that move few pixels still count; shape as `energy` (V, n)."""
    return energy.clamp_min(1e-3 * energy.max()).rsqrt()


def field_loss(predicted: Tensor, exact: Tensor, view: Tensor, energy: Tensor) -> Tensor:
    """Return sum_j w_j |J_j - J*_j|^2 / sum_j w_j E_j with w_j = E_j^-1/2.

    Args:
        predicted: Shape (B, n, 2, h, w), px/rad.
        exact: Shape (B, n, 2, h, w), px/rad.
        view: Number of each picture's view, shape (B,).
        energy: E, mean over the data of the exact field's squared sum per view and joint, shape (V, n), px²/rad².
    """
    error = (predicted - exact).square().sum(dim=(2, 3, 4))
    weights = joint_weights(energy)[view]
    return (weights * error).sum() / (weights * energy[view]).sum()


def flow_loss(predicted: Tensor, delta_q: Tensor, flow: Tensor, trust: Tensor, energy: float) -> Tensor:
    """Return sum c |J dq - f|^2 / (B energy): what self-play without a simulator can teach.

    Args:
        predicted: Shape (B, n, 2, h, w), px/rad.
        delta_q: Measured joint steps, shape (B, n), rad.
        flow: Seen motion, shape (B, 2, h, w), px.
        trust: c, trust in the flow, shape (B, h, w).
        energy: Mean over the data of sum c |f|^2 per picture, px².
    """
    motion = torch.einsum('bnchw,bn->bchw', predicted, delta_q)
    return (trust[:, None] * (motion - flow).square()).sum() / (predicted.shape[0] * energy)


def trust_loss(logit: Tensor, coverage: Tensor) -> Tensor:
    """Return the cross entropy between the trust and the share of each cell that shows the robot, both of shape (B, h, w)."""
    return torch.nn.functional.binary_cross_entropy_with_logits(logit, coverage)


def ridge_step(jacobian: Tensor, flow: Tensor, weight: Tensor, ridge: float) -> Tensor:
    """Return argmin_dq sum w |J dq - f|^2 + ridge |dq|^2, differentiable in all arguments.

    Args:
        jacobian: Cells of all views, shape (P, n, V, 2, h, w), px/rad.
        flow: Shape (P, V, 2, h, w), px.
        weight: Shape (P, V, h, w), unitless.
        ridge: px²/rad², absolute.

    Returns:
        Joint steps, shape (P, n), rad.
    """
    rows = jacobian.flatten(2)
    weights = weight[:, :, None].expand_as(flow).flatten(1)
    weighted = rows * weights[:, None]
    normal = weighted @ rows.transpose(1, 2) + ridge * torch.eye(rows.shape[1])
    step: Tensor = torch.linalg.solve(normal, weighted @ flow.flatten(1)[..., None])
    return step[..., 0]


def action_loss(recovered: Tensor, measured: Tensor) -> Tensor:
    """Return the mean of |dq_hat - dq|^2 / |dq|^2 over pairs, both of shape (P, n), rad."""
    error = (recovered - measured).square().sum(dim=1)
    return (error / measured.square().sum(dim=1).clamp_min(1e-4)).mean()
