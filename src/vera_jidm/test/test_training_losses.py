# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import torch

from vera_jidm.training.losses import action_loss, field_loss, flow_loss, ridge_step


def _field(seed: int, scale: tuple[float, ...] = (1.0, 30.0, 5.0)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(6, 3, 2, 4, 4, generator=generator) * torch.tensor(scale)[:, None, None, None]


def test_zero_field_scores_one_and_the_exact_field_zero() -> None:
    exact, view = _field(0), torch.tensor([0, 1, 0, 1, 0, 1])
    energy = torch.stack([exact[view == v].square().sum(dim=(2, 3, 4)).mean(dim=0) for v in range(2)])
    torch.testing.assert_close(field_loss(torch.zeros_like(exact), exact, view, energy), torch.tensor(1.0))
    torch.testing.assert_close(field_loss(exact, exact, view, energy), torch.tensor(0.0))
    # Half the field leaves a quarter of the squared error.
    torch.testing.assert_close(field_loss(0.5 * exact, exact, view, energy), torch.tensor(0.25))


def test_weak_joint_counts_more_than_its_energy() -> None:
    exact, view = _field(0), torch.zeros(6, dtype=torch.int64)
    energy = exact.square().sum(dim=(2, 3, 4)).mean(dim=0)[None]
    without_first = exact.clone()
    without_first[:, 0] = 0
    # w E = E^1/2: joint 1 of scales 1, 30, 5 counts about 1 / 36 although it has 1 / 926 of the energy.
    loss = float(field_loss(without_first, exact, view, energy))
    assert abs(loss - float(energy[0, 0].sqrt() / energy[0].sqrt().sum())) < 1e-5
    assert loss > 10 * float(energy[0, 0] / energy[0].sum())


def test_flow_loss_of_a_zero_field_is_one() -> None:
    flow, trust = torch.randn(5, 2, 4, 4), torch.rand(5, 4, 4)
    energy = float((trust[:, None] * flow.square()).sum() / 5)
    loss = flow_loss(torch.zeros(5, 3, 2, 4, 4), torch.randn(5, 3), flow, trust, energy)
    torch.testing.assert_close(loss, torch.tensor(1.0))


def test_ridge_step_is_the_minimum_of_its_cost() -> None:
    generator = torch.Generator().manual_seed(1)
    jacobian = torch.randn(2, 3, 2, 2, 4, 4, generator=generator, dtype=torch.float64)
    flow = torch.randn(2, 2, 2, 4, 4, generator=generator, dtype=torch.float64)
    weight = torch.rand(2, 2, 4, 4, generator=generator, dtype=torch.float64)
    step = ridge_step(jacobian, flow, weight, 2.0).requires_grad_()
    error = torch.einsum('pnvchw,pn->pvchw', jacobian, step) - flow
    cost = (weight[:, :, None] * error.square()).sum() + 2.0 * step.square().sum()
    cost.backward()  # type: ignore[no-untyped-call]
    assert step.grad is not None
    assert float(step.grad.abs().max()) < 1e-9


def test_ridge_step_recovers_a_step_and_passes_gradients() -> None:
    jacobian, step = 20 * torch.randn(4, 3, 2, 2, 4, 4), 0.1 * torch.randn(4, 3)
    jacobian.requires_grad_()
    flow = torch.einsum('pnvchw,pn->pvchw', jacobian.detach(), step)
    recovered = ridge_step(jacobian, flow, torch.ones(4, 2, 4, 4), 1e-3)
    np.testing.assert_allclose(recovered.detach(), step, atol=1e-4)
    action_loss(recovered, 2 * step).backward()  # type: ignore[no-untyped-call]
    assert jacobian.grad is not None
    assert float(jacobian.grad.abs().max()) > 0


def test_action_loss_of_no_motion_is_one() -> None:
    torch.testing.assert_close(action_loss(torch.zeros(4, 3), torch.ones(4, 3)), torch.tensor(1.0))
