# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of flow_node and jidm_node, each declared once; defaults are those of the settings they fill."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from vera_core.parameter import NodeParams, param
from vera_jidm.executability import WatchSettings
from vera_jidm.flow.dis import DisSettings
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.flow.photometric import PhotometricSettings
from vera_jidm.following import FollowSettings
from vera_jidm.pipeline import PipelineSettings
from vera_jidm.registry import FLOW_ESTIMATORS
from vera_jidm.solve import SolveSettings

_DIS = DisSettings()
_FOLLOW = FollowSettings()
_PIPELINE = PipelineSettings()
_SOLVE = SolveSettings()
_WATCH = WatchSettings()


def _picked(owner: Any, wanted: type[Any], **extra: Any) -> Any:
    """Make a settings object from the fields of the same name."""
    names = {entry.name for entry in fields(wanted)} - set(extra)
    return wanted(**{name: getattr(owner, name) for name in names}, **extra)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowParams(NodeParams):
    """Parameters of flow_node."""

    robot: str = field(default='panda', metadata=param('name of a shipped robot or path of a robot file'))
    estimator: str = field(default='dis', metadata=param('flow estimator by name'))
    dis_finest_scale: int = field(
        default=_DIS.finest_scale, metadata=param('finest pyramid level of dis; 0 is the picture itself', low=0, high=3)
    )
    dis_upsample: int = field(default=_DIS.upsample, metadata=param('dis searches pictures made this many times larger', low=1, high=2))
    raft_weights: str = field(default='', metadata=param('file with the weights of raft, safetensors or a state dict of torch'))
    raft_updates: int = field(default=12, metadata=param('look-ups per flow of raft', low=1, high=64))
    lookahead_s: float = field(
        default=_FOLLOW.lookahead_s,
        metadata=param('aim at the first planned frame due this far ahead', unit='s', low=0.0, high=3.0, live=True),
    )
    shortest_dt_s: float = field(
        default=_FOLLOW.shortest_dt_s, metadata=param('never ask for a motion in less time', unit='s', low=0.05, high=3.0, live=True)
    )
    full_rate_px: float = field(
        default=_FOLLOW.full_rate_px,
        metadata=param('plan time runs as real time up to this much flow', unit='px', low=0.5, high=50.0, live=True),
    )
    zero_rate_px: float = field(
        default=_FOLLOW.zero_rate_px,
        metadata=param('plan time waits for the arm from this much flow on', unit='px', low=1.0, high=100.0, live=True),
    )
    converge_px: float = field(
        default=_FOLLOW.converge_px,
        metadata=param(
            'aim at the last frame of a plan that ends at rest with less motion missing', unit='px', low=0.0, high=50.0, live=True
        ),
    )
    end_rest_s: float = field(
        default=_FOLLOW.end_rest_s,
        metadata=param('a plan that stands still for so long at last ends at rest', unit='s', low=0.0, high=5.0, live=True),
    )
    end_rest_px: float = field(
        default=_FOLLOW.end_rest_px, metadata=param('less motion is standing still', unit='px', low=0.0, high=10.0, live=True)
    )
    converge_dt_s: float = field(
        default=_FOLLOW.converge_dt_s, metadata=param('shortest time asked for to the last frame', unit='s', low=0.05, high=5.0, live=True)
    )
    converge_longest_dt_s: float = field(
        default=_FOLLOW.converge_longest_dt_s,
        metadata=param('longest time asked for to the last frame', unit='s', low=0.05, high=10.0, live=True),
    )
    view_spread_s: float = field(
        default=_FOLLOW.view_spread_s,
        metadata=param('pictures of different views may be this far apart', unit='s', low=0.0, high=1.0, live=True),
    )
    linger_s: float = field(
        default=_FOLLOW.linger_s, metadata=param('a plan is dropped this long after its end', unit='s', low=0.0, high=600.0, live=True)
    )

    await_verdict: bool = field(default=True, metadata=param('follow a plan only once jidm_node has found that the robot can do it'))

    def make_estimator(self) -> FlowEstimator:
        """Return the estimator with the settings that are its own.

        Raises:
            ConfigError: If the name is unknown, or weights are needed and missing.
        """
        options: dict[str, dict[str, Any]] = {
            'dis': {'settings': DisSettings(finest_scale=self.dis_finest_scale, upsample=self.dis_upsample)},
            'raft': {'weights': self.raft_weights, 'updates': self.raft_updates},
        }
        return FLOW_ESTIMATORS.make(self.estimator, **options.get(self.estimator, {}))

    def follow_settings(self) -> FollowSettings:
        """Return the part that concerns plan following."""
        settings: FollowSettings = _picked(self, FollowSettings)
        return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class JidmParams(NodeParams):
    """Parameters of jidm_node."""

    robot: str = field(default='panda', metadata=param('name of a shipped robot or path of a robot file'))
    field_model: str = field(default='learned', metadata=param('Jacobian field by name'))
    field_weights: str = field(
        default='',
        metadata=param(
            'folder with the weights of the field, or file with model and cameras of an analytic one; empty: what ships for the robot, '
            'for an analytic one what the robot file says'
        ),
    )
    ridge: float = field(
        default=_SOLVE.ridge, metadata=param('damping of the inversion', unit='px²/rad² over 4 px cells', low=1e-3, high=1e6, live=True)
    )
    joint_ridge: tuple[float, ...] = field(
        default=_SOLVE.joint_ridge,
        metadata=param(
            'damping of each joint in place of ridge; empty: ridge for all', unit='px²/rad² over 4 px cells', low=1e-3, live=True
        ),
    )
    noise_full_px: float = field(
        default=_SOLVE.noise_full_px,
        metadata=param('unexplained flow from which on the damping grows with its square', unit='px', low=0.01, high=100.0, live=True),
    )
    huber_delta_px: float = field(
        default=_SOLVE.huber_delta_px, metadata=param('errors above this count linearly', unit='px', low=0.01, high=100.0, live=True)
    )
    irls_iterations: int = field(
        default=_SOLVE.irls_iterations, metadata=param('reweighted solves after the first', low=0, high=20, live=True)
    )
    max_step_rad: float = field(
        default=_PIPELINE.max_step_rad, metadata=param('largest step of one joint', unit='rad', low=1e-4, high=1.0, live=True)
    )
    limit_margin_rad: float = field(
        default=_PIPELINE.limit_margin_rad, metadata=param('distance kept from joint limits', unit='rad', low=0.0, high=0.5, live=True)
    )
    max_state_gap_s: float = field(
        default=_PIPELINE.max_state_gap_s,
        metadata=param('joints may be measured this far from the pictures', unit='s', low=0.0, high=1.0, live=True),
    )
    view_spread_s: float = field(
        default=_FOLLOW.view_spread_s,
        metadata=param('a picture may be this far from the stamp of the flow', unit='s', low=0.0, high=1.0, live=True),
    )
    photometric_refinement: bool = field(default=False, metadata=param('refine the joint step on the planned pictures themselves'))

    check_plans: bool = field(
        default=True, metadata=param('look at every plan before its first step, and at every step, and say whether the robot can do it')
    )
    drop_residual_ratio: float = field(
        default=_WATCH.residual_ratio,
        metadata=param(
            'a plan is dropped when joint motion leaves more than this share of the flow; above 1: never', low=0.1, high=1.01, live=True
        ),
    )
    drop_memory_s: float = field(
        default=_WATCH.memory_s, metadata=param('time over which that share is averaged', unit='s', low=0.05, high=60.0, live=True)
    )

    def watch_settings(self) -> WatchSettings:
        """Return the part that concerns plans on their way."""
        return WatchSettings(residual_ratio=self.drop_residual_ratio, memory_s=self.drop_memory_s)

    def pipeline_settings(self) -> PipelineSettings:
        """Return the part that concerns the inversion."""
        photometric = PhotometricSettings() if self.photometric_refinement else None
        settings: PipelineSettings = _picked(self, PipelineSettings, solve=_picked(self, SolveSettings), photometric=photometric)
        return settings
