# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""SROS 2 where DDS has no security libraries: who asks for it gets no node, and never one without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_prefix

PARTS = ('identity_ca.cert.pem', 'permissions_ca.cert.pem', 'cert.pem', 'key.pem', 'governance.p7s', 'permissions.p7s')


def has_security_libraries() -> bool:
    """Whether the installed Fast DDS has its authentication plug-in."""
    libraries = sorted((Path(get_package_prefix('rmw_fastrtps_cpp')) / 'lib').glob('libfastrtps.so*'))
    return any(b'builtin.PKI-DH' in library.read_bytes() for library in libraries[:1])


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.skipif(has_security_libraries(), reason='this Fast DDS has its security libraries, so a node with keys would start')
def test_a_node_that_must_be_secure_does_not_start_without_the_libraries(ros_domain, tmp_path):
    enclave = tmp_path / 'enclaves' / 'vera' / 'executive_node'
    enclave.mkdir(parents=True)
    for part in PARTS:
        (enclave / part).write_text('a stand-in, never read', encoding='utf-8')
    environment = os.environ | {
        'ROS_SECURITY_ENABLE': 'true',
        'ROS_SECURITY_STRATEGY': 'Enforce',
        'ROS_SECURITY_KEYSTORE': str(tmp_path),
    }
    words = ['-m', 'vera_control.executive_node', '--ros-args', '--enclave', '/vera/executive_node']
    ended = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "doesn't have the security libraries" in ended.stderr
