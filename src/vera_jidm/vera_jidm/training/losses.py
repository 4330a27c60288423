# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the field is trained to do. Losses of motion and of joint steps are scaled so that a field that is zero everywhere scores 1.0.

Derivations are in docs/training.md. Sums run over cells; sizes: B pictures, P pairs, V views, n joints, h x w cells.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

TOLERANCE_PX = 0.5
"""Motion may differ by this much, and by TOLERANCE_SHARE of its length, before a cell loses trust: as in the flow's own round trip check."""
TOLERANCE_SHARE = 0.1
LEAST_TRUST = 0.02
"""Trust never falls below this in the trust loss: its logarithm stays bounded, so no cell can blow the loss up."""
EDGE_SHARPNESS = 10.0
"""How fast a change of the picture (0..1) frees the field to change with it."""


def joint_weights(energy: Tensor) -> Tensor:
    """Return E^-0.6 per view and joint, so that joints that move few pixels still count; shape as `energy` (V, n)."""
    return energy.clamp_min(1e-3 * energy.max()).pow(-0.6)


def field_loss(predicted: Tensor, exact: Tensor, view: Tensor, energy: Tensor) -> Tensor:
    """Return sum_j w_j |J_j - J*_j|^2 / sum_j w_j E_j with w_j = E_j^-0.6.

    Args:
        predicted: Shape (B, n, 2, h, w), px/rad.
        exact: Shape (B, n, 2, h, w), px/rad.
        view: Number of each picture's view, shape (B,).
        energy: E, mean over the data of the exact field's squared sum per view and joint, shape (V, n), px²/rad².
    """
    error = (predicted - exact).square().sum(dim=(2, 3, 4))
    weights = joint_weights(energy)[view]
    return (weights * error).sum() / (weights * energy[view]).sum()


def penalty(motion: Tensor, charbonnier_px: float) -> Tensor:
    """Return |m|^2, or sqrt(|m|^2 + eps^2) - eps for eps > 0 [VERA, Eq. 5; 0 for m = 0]; shape (..., 2, h, w) to (..., h, w)."""
    squared = motion.square().sum(dim=-3)
    return squared if charbonnier_px == 0 else (squared + charbonnier_px**2).sqrt() - charbonnier_px


def motion_loss(motion: Tensor, flow: Tensor, trust: Tensor, energy: float, charbonnier_px: float = 0.0) -> Tensor:
    """Return sum c rho(m - f) / (B energy): what self-play without a simulator can teach.

    Args:
        motion: m, predicted, for the forward flow loss J dq, shape (..., 2, h, w), px.
        flow: f, seen motion, same shape, px.
        trust: c, trust in the flow, shape (..., h, w).
        energy: Mean over the data of sum c rho(f) per picture, px² (px for rho that counts linearly).
        charbonnier_px: See `penalty`.
    """
    pictures = trust[..., 0, 0].numel()
    return (trust * penalty(motion - flow, charbonnier_px)).sum() / (pictures * energy)


def sample_at(field: Tensor, motion: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Return the field where every cell is after a motion, bilinear, and 1 for cells that are then still in the picture.

    Args:
        field: Shape (B, c, h, w).
        motion: Shape (B, 2, h, w), px: u right, v down.
        stride: Pixels per cell edge.

    Returns:
        Field of shape (B, c, h, w) and mask of shape (B, h, w).
    """
    height, width = field.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=field.dtype), torch.arange(width, dtype=field.dtype), indexing='ij'
    )  # Centre of cell i is at i + 1/2 of its size, which is what align_corners=False takes as (2 i + 1) / size - 1.
    x = (2 * (columns + motion[:, 0] / stride) + 1) / width - 1
    y = (2 * (rows + motion[:, 1] / stride) + 1) / height - 1
    sampled = F.grid_sample(field, torch.stack([x, y], dim=-1), mode='bilinear', padding_mode='border', align_corners=False)
    return sampled, ((x.abs() <= 1) & (y.abs() <= 1)).to(field.dtype)


def there_and_back(there: Tensor, back: Tensor, flow: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Return the motion of a step from the fields at both of its ends, and where it is known.

    From a to b a point moves by J_a(p) dq + O(dq²); seen from b, at p + f(p), it came by J_b(p + f) dq + O(dq²). The second-order errors are
    opposite, so the mean of both (the trapezoid rule) is exact to O(dq³) and may be asked to be the seen motion.

    Args:
        there: J_a dq, shape (B, 2, h, w), px.
        back: J_b dq in the picture at b, shape (B, 2, h, w), px; minus this is the way back.
        flow: f, seen motion from a to b, shape (B, 2, h, w), px.
        stride: Pixels per cell edge.
    """
    came, inside = sample_at(back, flow, stride)
    return 0.5 * (there + came), inside


def halves(first: Tensor, second: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Return the motion of a step as that of its first half plus that of the second half from where the first half ends.

    The end of the first half is taken as it is predicted; no gradient flows through the place, only through the motion found there.

    Args:
        first: J_a (q_m - q_a), shape (B, 2, h, w), px.
        second: J_m (q_b - q_m) in the middle picture, shape (B, 2, h, w), px.
        stride: Pixels per cell edge.
    """
    then, inside = sample_at(second, first.detach(), stride)
    return first + then, inside


def smooth_loss(jacobian: Tensor, picture: Tensor, spread: Tensor, energy: float) -> Tensor:
    """Return sum_j s_j^2 sum_edges exp(-k |dI|) |dJ_j|^2 / (B energy) over neighbouring cells, 0 for a field that is the same everywhere.

    s_j^2 |dJ_j|^2 is what the predicted flow of a usual joint step changes by, so the loss is a share of the flow's energy.

    Args:
        jacobian: Shape (B, n, 2, h, w), px/rad.
        picture: I, shape (B, 3, H, W), 0..1; a cell's colour is its mean.
        spread: s, usual step of every joint, shape (n,), rad.
        energy: Mean squared flow per picture, px².
    """
    height, width = jacobian.shape[-2:]
    cells = F.adaptive_avg_pool2d(picture, (height, width))
    total = jacobian.new_zeros(())
    for dim in (-1, -2):
        alike = torch.exp(-EDGE_SHARPNESS * cells.diff(dim=dim).abs().mean(dim=1))
        change = jacobian.diff(dim=dim).square().sum(dim=2)
        total = total + (spread.square()[:, None, None] * alike[:, None] * change).sum()
    return total / (len(jacobian) * energy)


def coverage_trust_loss(logit: Tensor, coverage: Tensor) -> Tensor:
    """Return the cross entropy between the trust and the share of each cell that shows the robot, both of shape (B, h, w)."""
    return F.binary_cross_entropy_with_logits(logit, coverage)


def residual_trust_loss(logit: Tensor, motion: Tensor, flow: Tensor, flow_trust: Tensor) -> Tensor:
    """Return the mean of c r² / s² - log c weighted by the trust in the flow: the best trust is c = min(1, s² / r²).

    The negative log likelihood of a Gaussian whose precision is c / s², with c in LEAST_TRUST..1. It teaches the trust alone: through the
    residual r = |motion - flow| no gradient flows, else the field would stop learning where it is still bad.

    Args:
        logit: Trust before the sigmoid, shape (P, V, h, w).
        motion: Predicted, shape (P, K, V, 2, h, w), px.
        flow: Seen, same shape, px.
        flow_trust: Trust in the flow, shape (P, K, V, h, w).
    """
    trust = LEAST_TRUST + (1 - LEAST_TRUST) * logit.sigmoid()[:, None]
    squared = (motion.detach() - flow).square().sum(dim=-3)
    tolerance = (TOLERANCE_PX + TOLERANCE_SHARE * flow.square().sum(dim=-3).sqrt()).square()
    return (flow_trust * (trust * squared / tolerance - trust.log())).sum() / flow_trust.sum().clamp_min(1e-6)


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
    normal = weighted @ rows.transpose(1, 2) + ridge * torch.eye(rows.shape[1], dtype=rows.dtype)
    step: Tensor = torch.linalg.solve(normal, weighted @ flow.flatten(1)[..., None])
    return step[..., 0]


def action_loss(recovered: Tensor, measured: Tensor) -> Tensor:
    """Return the mean of |dq_hat - dq|^2 / |dq|^2 over pairs, both of shape (P, n), rad."""
    error = (recovered - measured).square().sum(dim=1)
    return (error / measured.square().sum(dim=1).clamp_min(1e-4)).mean()


def inverse_loss(jacobian: Tensor, exact: Tensor, weight: Tensor, spread: Tensor, ridge: float) -> Tensor:
    """Return the mean of E |solve(J* dq) - dq|^2 / E |dq|^2 over moments, for all steps dq ~ N(0, diag(s^2)) at once.

    The ridge solve is linear in the flow, so with R = (J'WJ + ridge I)^-1 J'W J* the recovered step is R dq and the expectation is
    sum_j s_j^2 |R_j - e_j|^2 / sum_j s_j^2: what an error of the field costs in joint motion, in every direction, without drawing any.

    Args:
        jacobian: J, cells of all views, shape (P, n, V, 2, h, w), px/rad.
        exact: J*, same shape.
        weight: W, shape (P, V, h, w), unitless.
        spread: s, usual step of every joint, shape (n,), rad.
        ridge: px²/rad².
    """
    rows, truth = jacobian.flatten(2), exact.flatten(2)
    weighted = rows * weight[:, :, None].expand_as(jacobian[:, 0]).flatten(1)[:, None]
    identity = torch.eye(rows.shape[1], dtype=rows.dtype)
    recovered = torch.linalg.solve(weighted @ rows.transpose(1, 2) + ridge * identity, weighted @ truth.transpose(1, 2))
    loss: Tensor = ((recovered - identity) * spread).square().sum(dim=(1, 2)).mean() / spread.square().sum()
    return loss


def cycle_loss(jacobian: Tensor, weight: Tensor, step: Tensor, ridge: float) -> Tensor:
    """Return the action loss of solve(J dq): what ridge and a poorly seen joint take away from a step the field itself predicts.

    With one joint of weighted energy e it is (ridge / (e + ridge))². It grows fields that are too small to be inverted, so it is no
    substitute for a label. The weight is taken as it is: trusting every cell would be the easy way out.

    Args:
        jacobian: Shape (P, n, V, 2, h, w), px/rad.
        weight: Shape (P, V, h, w), unitless.
        step: Any joint steps, shape (P, n), rad.
        ridge: px²/rad².
    """
    motion = torch.einsum('pnvchw,pn->pvchw', jacobian, step)
    return action_loss(ridge_step(jacobian, motion, weight.detach(), ridge), step)
