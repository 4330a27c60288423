# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""jidm_node with a field whose answers are known by hand, as a process of its own."""

from __future__ import annotations

import numpy as np

from vera_core.registry import Registry
from vera_core.types import JacobianField
from vera_jidm import jidm_node


class Uniform:
    """Joint 0 moves every pixel 20 px/rad to the right; no picture shows the others."""

    def __init__(self, robot, folder):
        pass

    def predict(self, frames, position):
        jacobian = np.zeros((32, 32, 2, 7))
        jacobian[..., 0, 0] = 20.0
        return {view: JacobianField(view=view, jacobian=jacobian, confidence=np.ones((32, 32)), stride=4) for view in frames}


if __name__ == '__main__':
    jidm_node.JACOBIAN_MODELS = Registry('Jacobian field', {'learned': f'{__name__}:Uniform'})
    raise SystemExit(jidm_node.main())
