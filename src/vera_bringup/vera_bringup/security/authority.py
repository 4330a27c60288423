# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Certificates and signatures: an authority signs the certificates of nodes, and documents as S/MIME. Elliptic curve P-256, SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A certificate authority that signs itself; its key lives in memory until it is written."""

    def __init__(self, name: str, *, begin: datetime, end: datetime) -> None:
        """Make a new key and certificate.

        Args:
            name: Common name.
            begin: Valid from then on, UTC.
            end: Valid up to then, UTC.
        """
        self._begin, self._end, self._name = begin, end, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._certify(self._key, name, is_authority=True)

    @property
    def identity(self) -> Identity:
        """Certificate and key of the authority itself."""
        return _identity(self._certificate, self._key)

    def issue(self, name: str) -> Identity:
        """Return a new key with a certificate for a common name."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _identity(self._certify(key, name, is_authority=False), key)

    def sign(self, document: bytes) -> bytes:
        """Return a text document as S/MIME with a detached signature, as DDS Security asks for it."""
        builder = pkcs7.PKCS7SignatureBuilder().set_data(document).add_signer(self._certificate, self._key, hashes.SHA256())
        return builder.sign(serialization.Encoding.SMIME, [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Text])

    def _certify(self, key: ec.EllipticCurvePrivateKey, name: str, *, is_authority: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._begin)
            .not_valid_after(self._end)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), critical=True)
        )
        return builder.sign(self._key, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _identity(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Identity:
    plain = serialization.NoEncryption()  # a node starts without anybody who could type a password
    return Identity(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain),
    )
