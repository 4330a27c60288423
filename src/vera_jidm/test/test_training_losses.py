# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from vera_jidm.training import losses


def _field(seed: int, scale: tuple[float, ...] = (1.0, 30.0, 5.0)) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(6, 3, 2, 4, 4, generator=generator) * torch.tensor(scale)[:, None, None, None]


def _random(*shape: int, seed: int = 0, positive: bool = False) -> Tensor:
    draw = torch.rand if positive else torch.randn
    return draw(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_zero_field_scores_one_and_the_exact_field_zero() -> None:
    exact, view = _field(0), torch.tensor([0, 1, 0, 1, 0, 1])
    energy = torch.stack([exact[view == v].square().sum(dim=(2, 3, 4)).mean(dim=0) for v in range(2)])
    torch.testing.assert_close(losses.field_loss(torch.zeros_like(exact), exact, view, energy), torch.tensor(1.0))
    torch.testing.assert_close(losses.field_loss(exact, exact, view, energy), torch.tensor(0.0))
    # Half the field leaves a quarter of the squared error.
    torch.testing.assert_close(losses.field_loss(0.5 * exact, exact, view, energy), torch.tensor(0.25))


def test_weak_joint_counts_more_than_its_energy() -> None:
    exact, view = _field(0), torch.zeros(6, dtype=torch.int64)
    energy = exact.square().sum(dim=(2, 3, 4)).mean(dim=0)[None]
    without_first = exact.clone()
    without_first[:, 0] = 0
    # w E = E^0.4: joint 1 of scales 1, 30, 5 counts about 1 / 20 although it has 1 / 926 of the energy.
    loss = float(losses.field_loss(without_first, exact, view, energy))
    assert abs(loss - float(energy[0, 0].pow(0.4) / energy[0].pow(0.4).sum())) < 1e-5
    assert loss > 10 * float(energy[0, 0] / energy[0].sum())


def test_inverse_loss_is_one_for_no_field_and_worked_out_by_hand_for_one_joint() -> None:
    exact, weight, spread = _random(2, 3, 2, 2, 4, 4), _random(2, 2, 4, 4, seed=1, positive=True), torch.tensor([0.1, 0.2, 0.3]).double()
    assert float(losses.inverse_loss(torch.zeros_like(exact), exact, weight, spread, 1.0)) == pytest.approx(1.0)
    # The exact field loses only what the ridge takes: (1 - e / (e + ridge))² for one joint of weighted energy e.
    one = exact[:1, :1]
    energy = float((weight[:1, None, :, None] * one.square()).sum())
    assert float(losses.inverse_loss(one, one, weight[:1], spread[:1], 7.0)) == pytest.approx((7.0 / (energy + 7.0)) ** 2)
    # A field that is twice too large finds half of every step.
    assert float(losses.inverse_loss(2 * exact, exact, weight, spread, 1e-12)) == pytest.approx(0.25)


def test_inverse_loss_is_the_mean_over_drawn_steps() -> None:
    generator = torch.Generator().manual_seed(3)
    field, exact = _random(1, 3, 2, 2, 4, 4, seed=4), _random(1, 3, 2, 2, 4, 4, seed=5)
    weight, spread = _random(1, 2, 4, 4, seed=6, positive=True), torch.tensor([0.1, 0.2, 0.3]).double()
    steps = torch.randn(4000, 3, generator=generator, dtype=torch.float64) * spread
    flow = torch.einsum('nvchw,pn->pvchw', exact[0], steps)
    found = losses.ridge_step(field.expand(4000, -1, -1, -1, -1, -1), flow, weight.expand(4000, -1, -1, -1), 5.0)
    drawn = (found - steps).square().sum(dim=1).mean() / spread.square().sum()
    assert float(losses.inverse_loss(field, exact, weight, spread, 5.0)) == pytest.approx(float(drawn), rel=0.05)


@pytest.mark.parametrize('charbonnier_px', [0.0, 0.5])
def test_motion_loss_of_no_motion_is_one_whatever_the_penalty(charbonnier_px: float) -> None:
    flow, trust = torch.randn(5, 2, 4, 4), torch.rand(5, 4, 4)
    energy = float((trust * losses.penalty(flow, charbonnier_px)).sum() / 5)
    torch.testing.assert_close(losses.motion_loss(torch.zeros_like(flow), flow, trust, energy, charbonnier_px), torch.tensor(1.0))
    torch.testing.assert_close(losses.motion_loss(flow, flow, trust, energy, charbonnier_px), torch.tensor(0.0))


def test_penalty_counts_squares_or_lengths() -> None:
    motion = torch.tensor([3.0, 4.0])[:, None, None]
    assert float(losses.penalty(motion, 0.0)) == 25
    # sqrt(25 + 144) - 12 = 1, and for a small eps nearly the length itself.
    assert float(losses.penalty(motion, 12.0)) == pytest.approx(1.0)
    assert float(losses.penalty(motion, 1e-3)) == pytest.approx(5.0, abs=2e-3)


def test_sampling_shifts_a_field_by_cells_and_marks_what_left() -> None:
    field = torch.arange(16.0).reshape(1, 1, 4, 4)
    motion = torch.zeros(1, 2, 4, 4)
    motion[:, 0] = 4.0  # One cell of 4 px to the right.
    moved, inside = losses.sample_at(field, motion, stride=4)
    torch.testing.assert_close(moved[0, 0, :, :3], field[0, 0, :, 1:])
    assert inside[0].tolist() == [[1, 1, 1, 0]] * 4
    # Half a cell down: the mean of two rows.
    halfway, _ = losses.sample_at(field, torch.stack([torch.zeros(1, 4, 4), torch.full((1, 4, 4), 2.0)], dim=1), stride=4)
    torch.testing.assert_close(halfway[0, 0, 0], torch.tensor([2.0, 3.0, 4.0, 5.0]))


def _turning(angle: float, size: int = 16, stride: int = 4) -> tuple[Tensor, Tensor]:
    """Motion of a plane that turns about the picture's centre by an angle, exact and to first order, px; the field is the same everywhere."""
    offset = (torch.arange(size, dtype=torch.float64) + 0.5) * stride - size * stride / 2
    y, x = torch.meshgrid(offset, offset, indexing='ij')
    exact = torch.stack([x * math.cos(angle) - y * math.sin(angle) - x, x * math.sin(angle) + y * math.cos(angle) - y])
    return exact[None], angle * torch.stack([-y, x])[None]


def test_there_and_back_and_halves_leave_less_error_than_the_first_order_motion() -> None:
    angle, middle = 0.2, (slice(None), slice(None), slice(4, 12), slice(4, 12))
    exact, linear = _turning(angle)
    error = (linear - exact)[middle].abs().max()
    back_and_forth, _ = losses.there_and_back(linear, linear, exact, stride=4)
    # For a rotation the trapezoid errs by angle³ / 12, the first order motion by angle² / 2: 1 / 30 of it.
    assert (back_and_forth - exact)[middle].abs().max() < 0.06 * error
    assert (back_and_forth - exact)[middle].abs().max() == pytest.approx(float(exact[middle].abs().max()) * angle**2 / 12, rel=0.1)
    whole, inside = losses.halves(linear / 2, linear / 2, stride=4)
    # Two half steps of Euler's rule leave half of the error.
    assert (whole - exact)[middle].abs().max() == pytest.approx(float(error) / 2, rel=0.1)
    assert inside[0, 4:12, 4:12].all()


def test_halves_add_up_where_the_first_half_ends() -> None:
    first, second = torch.zeros(1, 2, 1, 4), torch.zeros(1, 2, 1, 4)
    first[0, 0] = 4.0
    second[0, 0, 0] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    whole, inside = losses.halves(first, second, stride=4)
    assert whole[0, 0, 0].tolist() == [6, 7, 8, 8]
    assert inside[0, 0].tolist() == [1, 1, 1, 0]


def test_smoothness_counts_steps_between_cells_that_look_alike() -> None:
    jacobian = torch.zeros(1, 2, 2, 2, 2)
    jacobian[0, 0, 0, :, 1] = 3.0  # Joint 1 steps by 3 px/rad from the left to the right column: two edges.
    jacobian[0, 1, 1, 1, :] = 5.0  # Joint 2 steps by 5 px/rad between the rows: two edges.
    picture, spread = torch.zeros(1, 3, 8, 8), torch.tensor([0.1, 0.2])
    # .01 * 2 * 9 + .04 * 2 * 25 = 2.18
    assert float(losses.smooth_loss(jacobian, picture, spread, energy=2.0)) == pytest.approx(2.18 / 2)
    picture[..., 4:] = 0.1  # The columns look different by .1: their two edges count exp(-1).
    assert float(losses.smooth_loss(jacobian, picture, spread, energy=2.0)) == pytest.approx((0.18 / math.e + 2.0) / 2)
    assert float(losses.smooth_loss(torch.ones(1, 2, 2, 2, 2), picture, spread, energy=2.0)) == 0


def test_best_trust_is_tolerance_over_residual() -> None:
    # Cells with a residual of 0, 1 and 4 times the tolerance of .5 + .1 * 5 = 1 px on a flow of 5 px: best trust 1, 1 and 1/16.
    flow = torch.zeros(1, 1, 1, 2, 1, 3)
    flow[:, :, :, 0] = 5.0
    motion = flow + torch.tensor([0.0, 1.0, 4.0])
    motion[..., 1, :, :] = 0.0
    logit = torch.zeros(1, 1, 1, 3, requires_grad=True)
    optimiser = torch.optim.Adam([logit], lr=0.1)
    for _ in range(600):
        optimiser.zero_grad()
        losses.residual_trust_loss(logit, motion, flow, torch.ones(1, 1, 1, 1, 3)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    trust = losses.LEAST_TRUST + (1 - losses.LEAST_TRUST) * logit.sigmoid()
    np.testing.assert_allclose(trust.detach().flatten(), [1.0, 1.0, 1 / 16], atol=0.02)


def test_trust_loss_stays_bounded_and_leaves_the_field_alone() -> None:
    motion = torch.full((1, 1, 1, 2, 1, 1), 1e3, requires_grad=True)
    for logit in (-1e4, 1e4):
        trust = torch.full((1, 1, 1, 1), logit, requires_grad=True)
        loss = losses.residual_trust_loss(trust, motion, torch.zeros_like(motion), torch.ones(1, 1, 1, 1, 1))
        loss.backward()  # type: ignore[no-untyped-call]
        assert torch.isfinite(loss)
        assert trust.grad is not None
        assert torch.isfinite(trust.grad).all()
    assert motion.grad is None


def test_ridge_step_is_the_minimum_of_its_cost() -> None:
    jacobian, flow, weight = _random(2, 3, 2, 2, 4, 4), _random(2, 2, 2, 4, 4, seed=1), _random(2, 2, 4, 4, positive=True)
    step = losses.ridge_step(jacobian, flow, weight, 2.0).requires_grad_()
    error = torch.einsum('pnvchw,pn->pvchw', jacobian, step) - flow
    cost = (weight[:, :, None] * error.square()).sum() + 2.0 * step.square().sum()
    cost.backward()  # type: ignore[no-untyped-call]
    assert step.grad is not None
    assert float(step.grad.abs().max()) < 1e-9


def test_ridge_step_recovers_a_step() -> None:
    jacobian, step = 20 * torch.randn(4, 3, 2, 2, 4, 4), 0.1 * torch.randn(4, 3)
    flow = torch.einsum('pnvchw,pn->pvchw', jacobian, step)
    np.testing.assert_allclose(losses.ridge_step(jacobian, flow, torch.ones(4, 2, 4, 4), 1e-3), step, atol=1e-4)


def test_action_and_cycle_loss_of_no_motion_are_one() -> None:
    torch.testing.assert_close(losses.action_loss(torch.zeros(4, 3), torch.ones(4, 3)), torch.tensor(1.0))
    zero, weight = torch.zeros(4, 3, 1, 2, 2, 2), torch.ones(4, 1, 2, 2)
    torch.testing.assert_close(losses.cycle_loss(zero, weight, torch.ones(4, 3), 1.0), torch.tensor(1.0))


def test_cycle_loss_of_one_joint_is_what_the_ridge_takes() -> None:
    # e = 2 views * 1 cell * (3² + 4²) * weight .5 = 25; ridge 75: a quarter comes back, (3/4)² is lost.
    jacobian = torch.tensor([3.0, 4.0]).reshape(1, 1, 1, 2, 1, 1).expand(1, 1, 2, 2, 1, 1)
    loss = losses.cycle_loss(jacobian, torch.full((1, 2, 1, 1), 0.5), torch.full((1, 1), 0.3), 75.0)
    torch.testing.assert_close(loss, torch.tensor(0.5625))


VIEW = torch.tensor([0, 1])
GRADIENTS: dict[str, tuple[Callable[..., Tensor], Tensor]] = {
    'inverse': (
        lambda j: losses.inverse_loss(
            j, _random(2, 2, 2, 2, 2, 2, seed=1), _random(2, 2, 2, 2, seed=2, positive=True), torch.ones(2).double(), 3.0
        ),
        _random(2, 2, 2, 2, 2, 2),
    ),
    'field': (lambda j: losses.field_loss(j, _random(2, 2, 2, 2, 2, seed=1), VIEW, torch.ones(2, 2).double()), _random(2, 2, 2, 2, 2)),
    'motion': (lambda m: losses.motion_loss(m, _random(2, 2, 3, 3, seed=1), _random(2, 3, 3, positive=True), 3.0), _random(2, 2, 3, 3)),
    'charbonnier': (lambda m: losses.motion_loss(m, _random(2, 2, 3, 3, seed=1), torch.ones(2, 3, 3), 3.0, 0.3), _random(2, 2, 3, 3)),
    'there and back': (lambda m: losses.there_and_back(m[0], m[1], _random(1, 2, 4, 4, seed=1), 4)[0], _random(2, 1, 2, 4, 4)),
    'halves, second': (lambda m: losses.halves(_random(1, 2, 4, 4, seed=1), m, 4)[0], _random(1, 2, 4, 4)),
    'smooth': (lambda j: losses.smooth_loss(j, _random(1, 3, 8, 8, positive=True), torch.ones(2).double(), 2.0), _random(1, 2, 2, 2, 2)),
    'coverage trust': (lambda c: losses.coverage_trust_loss(c, _random(2, 3, 3, seed=1, positive=True)), _random(2, 3, 3)),
    'residual trust': (
        lambda c: losses.residual_trust_loss(
            c, _random(2, 2, 1, 2, 3, 3, seed=1), _random(2, 2, 1, 2, 3, 3), _random(2, 2, 1, 3, 3, positive=True)
        ),
        _random(2, 1, 3, 3),
    ),
    'solve, field': (
        lambda j: losses.ridge_step(j, _random(2, 2, 2, 2, 2, seed=1), _random(2, 2, 2, 2, positive=True), 2.0),
        _random(2, 3, 2, 2, 2, 2),
    ),
    'solve, weight': (
        lambda w: losses.ridge_step(_random(2, 3, 2, 2, 2, 2), _random(2, 2, 2, 2, 2, seed=1), w, 2.0),
        _random(2, 2, 2, 2, positive=True),
    ),
    'action': (lambda q: losses.action_loss(q, _random(3, 4, seed=1)), _random(3, 4)),
    'cycle': (
        lambda j: losses.cycle_loss(j, _random(2, 1, 2, 2, positive=True), _random(2, 3, seed=1), 2.0),
        _random(2, 3, 1, 2, 2, 2),
    ),
}


@pytest.mark.parametrize('term', GRADIENTS)
def test_gradient_is_that_of_finite_differences(term: str) -> None:
    function, value = GRADIENTS[term]
    assert gradcheck(function, (value.requires_grad_(),))
