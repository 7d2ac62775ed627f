"""Certificates of hosts and users, good ones and others."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate with its key, as PEM files; ``fingerprint`` is its SHA-256."""

    path: Path
    key_path: Path
    fingerprint: str


class CertificateAuthority:
    """Signs certificates; its own is ``path``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("Longshore tests")
        builder = _begun(self._name, self._name, self._key, expired=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.path = _written(folder, "authority", builder.sign(self._key, hashes.SHA256()), self._key).path

    def issue(self, name: str, *, names: Sequence[str] = (), expired: bool = False) -> Certificate:
        """A certificate for these names and addresses, or for ``name`` alone."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _for(_begun(_named(name), self._name, key, expired=expired), names or (name,))
        return _written(self._folder, name, builder.sign(self._key, hashes.SHA256()), key)


def self_signed(folder: Path, name: str, *, names: Sequence[str] = (), expired: bool = False) -> Certificate:
    """A certificate that nobody vouches for, as a Windows host makes its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _for(_begun(_named(name), _named(name), key, expired=expired), names or (name,))
    return _written(folder, name, builder.sign(key, hashes.SHA256()), key)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, expired: bool
) -> x509.CertificateBuilder:
    end = datetime.now(UTC) + (-_DAY if expired else _DAY)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(end - 3 * _DAY).not_valid_after(end)


def _for(builder: x509.CertificateBuilder, names: Sequence[str]) -> x509.CertificateBuilder:
    return builder.add_extension(
        x509.SubjectAlternativeName([_general(each) for each in names]), critical=False
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _written(
    folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> Certificate:
    path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Certificate(
        path=path, key_path=key_path, fingerprint=certificate.fingerprint(hashes.SHA256()).hex()
    )
