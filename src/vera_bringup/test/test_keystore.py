# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The keystore: certificates that chain, documents that are signed, keys nobody else can read, and nobody allowed more than he does."""

from __future__ import annotations

import shutil
import stat
import subprocess
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs7
from typer.testing import CliRunner

from vera_bringup.cli import app
from vera_bringup.security.access import NODES, OPERATOR, Access, access_of, dds_access, own_nodes
from vera_bringup.security.keystore import KeystoreRequest, make_keystore
from vera_bringup.specs import NodeSpec
from vera_bringup.system import SYSTEMS, load_system
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COMMANDS = 'rt/joint_trajectory_controller/joint_trajectory'


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp('keys') / 'store'
    system = load_system('panda_real', arguments={'rviz': 'true'})
    enclaves = make_keystore(KeystoreRequest(folder=folder, system=system, domain=7, days=30), NOW)
    return folder, system, enclaves


def allowed(folder, enclave) -> dict[str, list[str]]:
    grant = ElementTree.parse(folder / 'enclaves' / enclave.strip('/') / 'permissions.xml').getroot().find('permissions/grant')
    assert grant.findtext('subject_name') == f'CN={enclave}'
    assert grant.findtext('default') == 'DENY'
    assert grant.findtext('allow_rule/domains/id') == '7'
    return {verb: [topic.text for topic in grant.iterfind(f'allow_rule/{verb}/topics/topic')] for verb in ('publish', 'subscribe')}


def test_every_node_and_the_command_line_have_an_enclave(store):
    _, _, enclaves = store
    nodes = ('planner_node', 'flow_node', 'jidm_node', 'controller_node', 'executive_node', 'operator_node', 'blackbox_node', 'view_node')
    assert set(enclaves) == {f'/vera/{node}' for node in (*nodes, 'operator')}


def test_certificates_chain_to_their_authority_and_name_their_enclave(store):
    folder, _, enclaves = store
    authority = x509.load_pem_x509_certificate((folder / 'public' / 'identity_ca.cert.pem').read_bytes())
    for enclave in enclaves:
        place = folder / 'enclaves' / enclave.strip('/')
        certificate = x509.load_pem_x509_certificate((place / 'cert.pem').read_bytes())
        certificate.verify_directly_issued_by(authority)
        assert certificate.subject.rfc4514_string() == f'CN={enclave}'
        assert (certificate.not_valid_before_utc, certificate.not_valid_after_utc) == (
            datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
            datetime(2026, 12, 22, 12, 0, tzinfo=UTC),
        )
        key = load_pem_private_key((place / 'key.pem').read_bytes(), None)
        assert key.public_key() == certificate.public_key()
        assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    other = x509.load_pem_x509_certificate((folder / 'public' / 'permissions_ca.cert.pem').read_bytes())
    assert other.public_key() != authority.public_key()


def test_private_keys_are_for_their_owner_alone(store):
    folder, _, enclaves = store
    keys = sorted(folder.rglob('*key.pem'))
    assert len(keys) == len(enclaves) + 2
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert stat.S_IMODE((folder / 'private').stat().st_mode) == 0o700


def test_every_enclave_has_the_six_files_that_dds_reads(store):
    folder, _, enclaves = store
    for enclave in enclaves:
        place = folder / 'enclaves' / enclave.strip('/')
        for name in ('identity_ca.cert.pem', 'permissions_ca.cert.pem', 'cert.pem', 'key.pem', 'governance.p7s', 'permissions.p7s'):
            assert (place / name).is_file(), (enclave, name)
        assert not (place / 'governance.p7s').readlink().is_absolute()  # a keystore can be carried elsewhere


@pytest.mark.skipif(shutil.which('openssl') is None, reason='openssl is not installed')
def test_documents_are_signed_by_the_permissions_authority_and_by_nobody_else(store):
    folder, _, _ = store
    for document in (folder / 'enclaves' / 'governance.p7s', folder / 'enclaves' / 'vera' / 'controller_node' / 'permissions.p7s'):
        assert verify(folder, document, 'permissions_ca').returncode == 0
        assert verify(folder, document, 'identity_ca').returncode != 0
        changed = document.with_suffix('.changed')
        changed.write_bytes(document.read_bytes().replace(b'DENY', b'ALLOW').replace(b'ENCRYPT', b'NONE'))
        assert verify(folder, changed, 'permissions_ca').returncode != 0
        changed.unlink()
        said = verify(folder, document, 'permissions_ca').stdout.replace('\r\n', '\n')
        assert said.strip() == document.with_suffix('.xml').read_text(encoding='utf-8').strip()


def verify(folder, document, authority):
    words = ['openssl', 'smime', '-verify', '-text', '-in', str(document), '-CAfile', str(folder / 'public' / f'{authority}.cert.pem')]
    return subprocess.run([*words, '-attime', str(int(NOW.timestamp()))], capture_output=True, text=True, check=False, timeout=30)


def test_the_signature_carries_the_authoritys_certificate(store):
    folder, _, _ = store
    text = (folder / 'enclaves' / 'governance.p7s').read_text(encoding='utf-8')
    base64 = text.partition('filename="smime.p7s"')[2].partition('\n\n')[2].partition('\n\n')[0]
    (signer,) = pkcs7.load_pem_pkcs7_certificates(f'-----BEGIN PKCS7-----\n{base64.strip()}\n-----END PKCS7-----\n'.encode())
    assert signer == x509.load_pem_x509_certificate((folder / 'public' / 'permissions_ca.cert.pem').read_bytes())


def test_governance_lets_nobody_in_without_keys(store):
    rule = ElementTree.parse(store[0] / 'enclaves' / 'governance.xml').getroot().find('domain_access_rules/domain_rule')
    assert rule.findtext('domains/id') == '7'
    assert rule.findtext('allow_unauthenticated_participants') == 'false'
    assert rule.findtext('enable_join_access_control') == 'true'
    assert rule.findtext('topic_access_rules/topic_rule/enable_write_access_control') == 'true'


def test_the_controller_alone_may_command_the_arm(store):
    folder, _, enclaves = store
    commanders = [enclave for enclave in enclaves if any(fnmatchcase(COMMANDS, topic) for topic in allowed(folder, enclave)['publish'])]
    assert commanders == ['/vera/controller_node']


def test_the_controller_hears_the_driver_where_the_set_up_has_it(store):
    heard = allowed(store[0], '/vera/controller_node')
    assert 'rt/franka/joint_states' in heard['subscribe']
    assert 'rt/franka_robot_state_broadcaster/robot_state' in heard['subscribe']
    # Services turn over: who serves hears requests and says replies; an action has two topics beside.
    assert 'rq/vera/stopRequest' in heard['subscribe']
    assert 'rr/vera/stopReply' in heard['publish']
    assert 'rq/action_server/error_recovery/_action/send_goalRequest' in heard['publish']
    assert 'rt/vera/go_home/_action/feedback' in heard['publish']


def test_who_only_listens_can_say_nothing_that_moves_the_arm(store):
    said = allowed(store[0], '/vera/blackbox_node')['publish']
    topics = [topic for topic in said if topic.startswith('rt/vera') and 'blackbox_node' not in topic]
    assert topics == []


@pytest.mark.parametrize('name', SYSTEMS)
def test_something_is_known_about_every_node_of_every_set_up(name):
    system = load_system(name, arguments={'operator_page': 'true', 'rviz': 'true'})
    for node in own_nodes(system):
        access = dds_access(node, system.namespace, load_embodiment(system.robot))
        assert 'rt/rosout' in access.publish
        assert not [topic for topic in (*access.publish, *access.subscribe) if '{' in topic or '~' in topic]


def test_a_node_nothing_is_known_about_is_told():
    with pytest.raises(ConfigError, match='nothing is known about what fault_relay_node says and hears'):
        access_of(NodeSpec(package='vera_bringup', executable='fault_relay_node'))


def test_relative_private_and_remapped_names_become_full_ones():
    node = NodeSpec(package='vera_jidm', executable='jidm_node', remappings={'/joint_states': '/left/joint_states'})
    access = dds_access(node, 'left', load_embodiment('panda'))
    assert 'rt/left/joint_velocity' in access.publish
    assert 'rt/left/jidm_node/overlay' in access.publish
    assert 'rt/left/joint_states' in access.subscribe
    assert 'rt/joint_states' not in access.subscribe


def test_rights_add_up():
    both = Access(publishes=('a',)).plus(Access(publishes=('b',), calls=('c',)))
    assert (both.publishes, both.calls) == (('a', 'b'), ('c',))
    assert OPERATOR in NODES


def test_every_node_is_started_in_its_own_enclave(store):
    _, system, enclaves = store
    for node in own_nodes(system)[:-1]:
        words = system.words(node)
        assert words[words.index('--enclave') + 1] == f'/vera/{node.name}'
        assert f'/vera/{node.name}' in enclaves


def test_a_keystore_is_never_written_over(store):
    folder, system, _ = store
    before = (folder / 'private' / 'identity_ca.key.pem').read_bytes()
    with pytest.raises(ConfigError, match='is there already and is not overwritten'):
        make_keystore(KeystoreRequest(folder=folder, system=system), NOW)
    assert (folder / 'private' / 'identity_ca.key.pem').read_bytes() == before


@pytest.mark.parametrize(
    ('wrong', 'words'),
    [
        ({'domain': 233}, 'ROS_DOMAIN_ID is 0 to 232'),
        ({'days': 0}, 'at least 1'),
        ({'system': load_system('panda_real', arguments={'namespace': 'n' * 60})}, 'certificates take 64'),
    ],
)
def test_what_cannot_be_leaves_nothing_behind(store, tmp_path, wrong, words):
    folder = tmp_path / 'new'
    with pytest.raises(ConfigError, match=words):
        make_keystore(KeystoreRequest(**{'folder': folder, 'system': store[1], **wrong}), NOW)
    assert not folder.exists()


def test_half_a_keystore_does_not_stay(store, tmp_path, monkeypatch):
    monkeypatch.setattr('vera_bringup.security.keystore.permissions', lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_keystore(KeystoreRequest(folder=tmp_path / 'new', system=store[1]), NOW)
    assert not (tmp_path / 'new').exists()


def test_the_command_makes_one(tmp_path):
    folder = tmp_path / 'store'
    result = CliRunner().invoke(app, ['keystore', str(folder), 'namespace:=left', '--system', 'panda_sim', '--domain', '3'])
    assert result.exit_code == 0, result.output
    assert '/left/sim_node' in result.output
    assert (folder / 'enclaves' / 'left' / 'sim_node' / 'permissions.p7s').is_file()
