"""TLS with a host: whose certificate is accepted, and in words why one is not."""

import contextlib
import hashlib
import hmac
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from config.causes import Cause
from workers.credentials import Secret
from workers.transports.base import TransportError
from workers.transports.endpoints import Endpoint, cleaned

Redial = Callable[[], socket.socket]
"""Connects once more, the same way."""
_WRONG_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_ISSUER = (18, 19, 20, 21)  # self-signed, the leaf or above it; the issuer isn't known
_LONGEST_NAMES = 200


@dataclass(frozen=True, kw_only=True)
class ClientCertificate:
    """What this side shows of itself: PEM files, and what unlocks the key."""

    certificate_file: str
    key_file: str
    passphrase: Secret | None = None


@dataclass(frozen=True, kw_only=True)
class TlsTerms:
    """Which certificate is accepted.

    Attributes:
        name: the name or address that it must be for, whatever is connected to.
        ca_file: the authorities that may have signed it; the system's when None.
        fingerprint: SHA-256 in lower-case hex; decides alone when given.
        anything: take any certificate.
        client: this side's own certificate, for a login with it.
    """

    name: str
    ca_file: str | None = None
    fingerprint: str | None = None
    anything: bool = False
    client: ClientCertificate | None = None


def secure(
    link: socket.socket, endpoint: Endpoint, terms: TlsTerms, *, seconds: float, redial: Redial
) -> ssl.SSLSocket:
    """Speak TLS over a connected socket, which is closed when that fails.

    Args:
        link: connected, and unused so far.
        endpoint: the host, for messages.
        terms: which certificate is accepted.
        seconds: for the handshake.
        redial: asked for another connection when a certificate was refused, to see which one it is.

    Raises:
        TransportError: cause ``tls``; ``protocol`` where nothing was said; ``credential`` where a file of the
            worker's can't be used.
    """
    try:
        context = _context(terms)
        link.settimeout(seconds)
        # Python would find a name that can't be one only once the socket is its own, and not close it.
        name = terms.name.encode("idna").decode("ascii")
        secured = context.wrap_socket(link, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        link.close()
        raise _unaccepted(endpoint, terms, error, _look(redial, seconds)) from None
    except TimeoutError:
        link.close()
        raise endpoint.unheard(f"no answer to the TLS handshake within {seconds:g} s", closed=False) from None
    except ValueError:
        link.close()
        raise endpoint.error(
            Cause.TLS, f"no certificate can be for the name {cleaned(terms.name)!r}"
        ) from None
    except OSError as error:  # ssl.SSLError is one
        link.close()
        raise _failed(endpoint, error) from None
    except BaseException:
        link.close()
        raise
    if terms.fingerprint is not None:
        _check_pin(secured, endpoint, terms.fingerprint)
    return secured


def _context(terms: TlsTerms) -> ssl.SSLContext:
    if terms.anything or terms.fingerprint is not None:
        context = _client()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif terms.ca_file is not None:
        context = _client()
        _trust(context, terms.ca_file)
    elif terms.client is None:
        return _system_context(_stamp_of_the_system())
    else:
        context = _client()
        context.load_default_certs()
    if terms.client is not None:
        _show(context, terms.client)
    return context


def _client() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # A file may name the authority that signs the hosts' certificates, and not who signed that one.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


@lru_cache(maxsize=1)
def _system_context(_stamp: int) -> ssl.SSLContext:
    # To read the system's authorities takes 20 ms of CPU: as long as the rest of a login.
    context = _client()
    context.load_default_certs()
    return context


def _stamp_of_the_system() -> int:
    bundle = ssl.get_default_verify_paths().cafile
    return 0 if bundle is None else Path(bundle).stat().st_mtime_ns


def _trust(context: ssl.SSLContext, ca_file: str) -> None:
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:
        reason = "no certificate in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
        detail = f"winrm.ca_file {ca_file} can't be used: {reason}"
        raise TransportError(Cause.CREDENTIAL, detail) from None


def _show(context: ssl.SSLContext, client: ClientCertificate) -> None:
    # Without a passphrase OpenSSL would ask for one at the terminal.
    passphrase = "" if client.passphrase is None else client.passphrase.reveal()
    try:
        context.load_cert_chain(client.certificate_file, client.key_file, password=lambda: passphrase)
    except (OSError, ValueError) as error:
        reason = cleaned(str(error)) if isinstance(error, ssl.SSLError) else getattr(error, "strerror", error)
        detail = f"certificate_file {client.certificate_file} with key_file {client.key_file} can't be used: "
        raise TransportError(Cause.CREDENTIAL, detail + str(reason)) from None
    # Windows may ask for the certificate only when it sees what is asked of it.
    context.post_handshake_auth = True


def fingerprint_of(certificate: bytes) -> str:
    """SHA-256 of a certificate in DER, as people pin it."""
    return hashlib.sha256(certificate).hexdigest()


def _check_pin(secured: ssl.SSLSocket, endpoint: Endpoint, pinned: str) -> None:
    seen = fingerprint_of(secured.getpeercert(binary_form=True) or b"")
    if not hmac.compare_digest(seen, pinned):
        secured.close()
        detail = f"its certificate has the SHA-256 {seen}, but winrm.fingerprint is {pinned}"
        raise endpoint.error(Cause.TLS, detail)


def _look(redial: Redial, seconds: float) -> x509.Certificate | None:
    """The certificate that the host shows; nothing else is said to it."""
    # Python gives no certificate of a handshake that failed.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(TransportError, OSError, ValueError):
        link = redial()
        with contextlib.closing(link):
            link.settimeout(seconds)
            with context.wrap_socket(link) as secured:
                return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
    return None


def _unaccepted(
    endpoint: Endpoint,
    terms: TlsTerms,
    error: ssl.SSLCertVerificationError,
    seen: x509.Certificate | None,
) -> TransportError:
    detail = f"its certificate was not accepted: {_reason(terms, error, seen)}"
    if seen is not None:
        digest = fingerprint_of(seen.public_bytes(Encoding.DER))
        detail += f"; its SHA-256 is {digest}, to be pinned as winrm.fingerprint if it is the host's own"
    return endpoint.error(Cause.TLS, detail)


def _reason(terms: TlsTerms, error: ssl.SSLCertVerificationError, seen: x509.Certificate | None) -> str:
    code = error.verify_code
    if code in _WRONG_NAME:
        return f"it is for {names_of(seen)}, not for {terms.name}" if seen else f"it is not for {terms.name}"
    if code == _EXPIRED:
        return f"it expired at {seen.not_valid_after_utc:%Y-%m-%d %H:%M} UTC" if seen else "it has expired"
    if code == _NOT_YET_VALID:
        return "it is not valid yet" + (f", but from {seen.not_valid_before_utc:%Y-%m-%d}" if seen else "")
    if code in _UNKNOWN_ISSUER:
        known = f"in {terms.ca_file}" if terms.ca_file else "among the system's authorities"
        return f"{_issuer(seen)} is not {known}"
    return cleaned(error.verify_message)


def _issuer(seen: x509.Certificate | None) -> str:
    if seen is None:
        return "its issuer"
    issuer = cleaned(seen.issuer.rfc4514_string()) or "without a name"
    return f"it is self-signed, and {issuer}" if seen.issuer == seen.subject else f"its issuer {issuer}"


def names_of(certificate: x509.Certificate) -> str:
    """The names and addresses that a certificate is for, as people read them."""
    names: list[str] = []
    with contextlib.suppress(x509.ExtensionNotFound, ValueError):
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = [
            str(name.value) for name in extension.value if isinstance(name, x509.DNSName | x509.IPAddress)
        ]
    if not names:
        names = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return cleaned(", ".join(names), _LONGEST_NAMES) or "no name"


def _failed(endpoint: Endpoint, error: OSError) -> TransportError:
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError):
        return endpoint.unheard("accepted the connection and closed it in the TLS handshake", closed=True)
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return endpoint.error(Cause.TLS, "it answered, but not in TLS; is the port one for http?")
    return endpoint.error(Cause.TLS, f"the TLS handshake failed: {cleaned(str(reason)).lower()}")
