# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import torch

from vera_planner.models.dynamics import Dynamics, DynamicsSize
from vera_planner.models.robot_layer import LayerSize, Pca, RobotLayer, thumbnail

SMALL = LayerSize(latent=6, hidden=16, width=16, blocks=1, half=8, spotter=8)


def test_thumbnail_is_the_mean_over_cells_of_colour_times_coverage() -> None:
    picture = torch.full((1, 3, 8, 8), 0.5)
    mask = torch.zeros(1, 1, 8, 8)
    mask[:, :, :4, :2] = 1.0  # half of the first cell
    small = thumbnail(picture, mask)
    assert small.shape == (1, 4, 2, 2)
    assert small[0, 0].tolist() == [[0.25, 0.0], [0.0, 0.0]]
    assert small[0, 3].tolist() == [[0.5, 0.0], [0.0, 0.0]]


def test_pca_gives_rows_of_its_span_back_and_scales_latents_to_one() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(200, 4, generator=generator) @ torch.randn(4, 30, generator=generator) + 3.0
    pca = Pca(30, 4)
    assert pca.fit(rows) > 0.9999
    latents = pca.encode(rows)
    assert torch.allclose(pca.decode(latents), rows, atol=1e-3)
    assert abs(float(latents.square().mean()) - 1.0) < 1e-3


def test_robot_layer_has_the_shapes_it_promises() -> None:
    net = RobotLayer(('front', 'side'), (32, 48), SMALL)
    picture = {'front': torch.rand(2, 3, 32, 48), 'side': torch.rand(2, 3, 32, 48)}
    plate = {'front': torch.rand(1, 3, 32, 48).expand(2, -1, -1, -1), 'side': torch.rand(1, 3, 32, 48).expand(2, -1, -1, -1)}
    latent = net.encode(picture, plate)
    assert latent.shape == (2, 6)
    for colour, alpha in net.decode(latent).values():
        assert colour.shape == (2, 3, 32, 48)
        assert alpha.shape == (2, 1, 32, 48)
        assert 0 <= float(alpha.detach().min()) <= float(alpha.detach().max()) <= 1


def fitted_dynamics() -> Dynamics:
    torch.manual_seed(0)
    net = Dynamics(DynamicsSize(latent=3, goals=4, horizon=5, coefficients=6, width=32, blocks=1))
    net.fit(torch.randn(300, 5, 3), torch.randn(300, 3))
    return net


def test_coefficients_survive_expanding_and_compressing() -> None:
    net = fitted_dynamics()
    coefficients = torch.randn(4, 6)
    assert torch.allclose(net.compress(net.expand(coefficients)), coefficients, atol=1e-4)


def test_one_step_is_the_same_for_every_seed_and_more_steps_are_not() -> None:
    net = fitted_dynamics()

    def plan(seed: int, steps: int) -> torch.Tensor:
        return net.plan(
            torch.zeros(1, 3, 3), torch.ones(1, 2), torch.full((1, 4), 0.5), steps=steps, generator=torch.Generator().manual_seed(seed)
        )

    assert plan(1, 1).shape == (1, 5, 3)
    assert torch.equal(plan(1, 1), plan(2, 1))
    assert torch.equal(plan(1, 4), plan(1, 4))
    assert not torch.allclose(plan(1, 4), plan(2, 4))
