# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Networks of the embedded planner: sentence grounding, robot layer, background, latent dynamics."""
