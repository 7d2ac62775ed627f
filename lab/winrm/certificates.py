"""Certificates for lab hosts and their users, by an authority of the lab's own."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE: Final = timedelta(days=2)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """A certificate with its key, as files.

    Attributes:
        path: the certificate, PEM.
        key_path: its private key, PEM, readable by its owner alone.
    """

    path: Path
    key_path: Path

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate, in small hexadecimal digits."""
        return self._load().fingerprint(hashes.SHA256()).hex()

    @property
    def channel_binding(self) -> bytes:
        """What ``tls-server-end-point`` channel bindings name this certificate by (RFC 5929)."""
        return b"tls-server-end-point:" + self._load().fingerprint(hashes.SHA256())

    def _load(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.path.read_bytes())


class CertificateAuthority:
    """Signs certificates for one lab; its own certificate is ``path``."""

    def __init__(self, folder: Path, *, name: str = "Longshore lab") -> None:
        """Take the authority that the folder holds, or make its key and certificate.

        Args:
            folder: where its files and those of its certificates go.
            name: as which it signs; the same again where the folder holds one.
        """
        self._folder = folder
        self._name = _named(name)
        self.path = folder / "authority.pem"
        self._key_path = folder / "authority.key"
        if not self.path.exists():
            self._make()

    def _make(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        usage = _key_usage(signs_certificates=True)
        builder = _builder(self._name, self._name, key.public_key(), key.public_key(), expired=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(usage, critical=True)
        _write(self._folder, "authority", builder.sign(key, hashes.SHA256()), key)

    def issue(
        self, name: str, *, names: Sequence[str] = (), expired: bool = False, client: bool = False
    ) -> Certificate:
        """A certificate signed by this authority.

        Args:
            name: whose it is; names the files too.
            names: the DNS names and IP addresses that it is good for; without any, its own name.
            expired: whether its time is over.
            client: whether it is for logging in, and not for a server.
        """
        signer = load_pem_private_key(self._key_path.read_bytes(), None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self._key_path} holds another kind of key than the authority made.")
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(name), self._name, key.public_key(), signer.public_key(), expired=expired)
        builder = _for_its_use(builder, names or (name,), client=client)
        return _write(self._folder, name, builder.sign(signer, hashes.SHA256()), key)


def self_signed(folder: Path, name: str, *, names: Sequence[str] = (), expired: bool = False) -> Certificate:
    """A server's certificate that nobody vouches for, as Windows makes by ``New-SelfSignedCertificate``.

    Args:
        folder: where its files go.
        name: whose it is; names the files too.
        names: the DNS names and IP addresses that it is good for; without any, its own name.
        expired: whether its time is over.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_named(name), _named(name), key.public_key(), key.public_key(), expired=expired)
    builder = _for_its_use(builder, names or (name,), client=False)
    return _write(folder, name, builder.sign(key, hashes.SHA256()), key)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePublicKey,
    *,
    expired: bool,
) -> x509.CertificateBuilder:
    begin = datetime.now(UTC) - (_LIFE if expired else _DAY)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(begin + (_DAY if expired else _LIFE + _DAY))
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)


def _for_its_use(
    builder: x509.CertificateBuilder, names: Sequence[str], *, client: bool
) -> x509.CertificateBuilder:
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return builder.add_extension(
        x509.SubjectAlternativeName([_alternative_name(each) for each in names]), critical=False
    )


def _alternative_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(
    folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> Certificate:
    files = Certificate(path=folder / f"{name}.pem", key_path=folder / f"{name}.key")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.path.write_bytes(certificate.public_bytes(Encoding.PEM))
    files.key_path.touch(mode=0o600)
    files.key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files
