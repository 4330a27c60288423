# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A keystore for SROS 2: who may say and hear what, the documents that state it, the keys that prove it, and where they lie."""
