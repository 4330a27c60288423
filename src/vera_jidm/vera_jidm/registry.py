# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Flow estimators and Jacobian fields by name, loaded only when asked for."""

from __future__ import annotations

from vera_core.registry import Registry
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.jacobian.model import JacobianModel

FLOW_ESTIMATORS: Registry[FlowEstimator] = Registry(
    'flow estimator', {'dis': 'vera_jidm.flow.dis:DisFlow', 'raft': 'vera_jidm.flow.raft:RaftFlow'}, group='vera_jidm.flow_estimators'
)
JACOBIAN_MODELS: Registry[JacobianModel] = Registry(
    'Jacobian field',
    {'analytic': 'vera_jidm.jacobian.analytic:analytic_field', 'learned': 'vera_jidm.jacobian.learned:LearnedField'},
    group='vera_jidm.jacobian_models',
)
