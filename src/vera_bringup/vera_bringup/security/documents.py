# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Governance and permissions as DDS Security 1.1 writes them, unsigned: who may join a domain, and what a participant may say and hear."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from datetime import datetime

from vera_bringup.security.access import DdsAccess

SCHEMAS = 'http://www.omg.org/spec/DDS-SECURITY/20170901'
XSI = 'http://www.w3.org/2001/XMLSchema-instance'

DOMAIN_RULE: Mapping[str, str] = {
    'allow_unauthenticated_participants': 'false',
    'enable_join_access_control': 'true',
    'discovery_protection_kind': 'ENCRYPT',
    'liveliness_protection_kind': 'ENCRYPT',
    'rtps_protection_kind': 'SIGN',
}
TOPIC_RULE: Mapping[str, str] = {
    'topic_expression': '*',
    'enable_discovery_protection': 'true',
    'enable_liveliness_protection': 'true',
    'enable_read_access_control': 'true',
    'enable_write_access_control': 'true',
    'metadata_protection_kind': 'ENCRYPT',
    'data_protection_kind': 'ENCRYPT',
}


def governance(domain: int) -> bytes:
    """Return the rules of a domain: nobody without keys, access control on every topic, everything encrypted."""
    root = _document('omg_shared_ca_governance.xsd')
    rule = ElementTree.SubElement(ElementTree.SubElement(root, 'domain_access_rules'), 'domain_rule')
    _domains(rule, domain)
    _texts(rule, DOMAIN_RULE.items())
    _texts(ElementTree.SubElement(ElementTree.SubElement(rule, 'topic_access_rules'), 'topic_rule'), TOPIC_RULE.items())
    return _bytes(root)


def permissions(enclave: str, access: DdsAccess, domain: int, *, begin: datetime, end: datetime) -> bytes:
    """Return what one enclave may publish and subscribe to; everything else is denied.

    Args:
        enclave: Path such as /vera/controller_node, which is the common name of its certificate.
        access: Names of DDS topics.
        domain: Domain id.
        begin: Valid from then on, UTC.
        end: Valid up to then, UTC.
    """
    root = _document('omg_shared_ca_permissions.xsd')
    grant = ElementTree.SubElement(ElementTree.SubElement(root, 'permissions'), 'grant', name=enclave)
    _texts(grant, [('subject_name', f'CN={enclave}')])
    span = ElementTree.SubElement(grant, 'validity')
    _texts(span, [('not_before', _moment(begin)), ('not_after', _moment(end))])
    rule = ElementTree.SubElement(grant, 'allow_rule')
    _domains(rule, domain)
    for verb, topics in (('publish', access.publish), ('subscribe', access.subscribe)):
        _texts(ElementTree.SubElement(ElementTree.SubElement(rule, verb), 'topics'), (('topic', topic) for topic in topics))
    _texts(grant, [('default', 'DENY')])
    return _bytes(root)


def _document(schema: str) -> ElementTree.Element:
    return ElementTree.Element('dds', {'xmlns:xsi': XSI, 'xsi:noNamespaceSchemaLocation': f'{SCHEMAS}/{schema}'})


def _domains(rule: ElementTree.Element, domain: int) -> None:
    _texts(ElementTree.SubElement(rule, 'domains'), [('id', str(domain))])


def _texts(parent: ElementTree.Element, entries: Iterable[tuple[str, str]]) -> None:
    for tag, text in entries:
        ElementTree.SubElement(parent, tag).text = text


def _moment(when: datetime) -> str:
    return when.strftime('%Y-%m-%dT%H:%M:%S')


def _bytes(root: ElementTree.Element) -> bytes:
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding='UTF-8', xml_declaration=True)) + b'\n'
