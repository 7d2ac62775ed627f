"""Whose certificate is accepted, over real TLS on a pair of sockets' worth of loopback."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.causes import Cause
from config.fleet import Credential
from lab.winrm.certificates import Certificate, CertificateAuthority, self_signed
from tests.support.trouble import closing_server, http_server, silent_server
from workers.credentials import Secret
from workers.transports.base import TransportError, UnheardError
from workers.transports.endpoints import Endpoint
from workers.transports.tls import ClientCertificate, TlsTerms, secure

HOST = Endpoint(name="web-1", address="web1.corp", port=5986, credential=Credential(user="u", key_file="k"))


@contextlib.contextmanager
def server(certificate: Certificate, client_authority: Path | None = None) -> Iterator[tuple[int, list[str]]]:
    """A TLS server that says ``hello``; its port, and the subjects of the client certificates that it saw."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.path, certificate.key_path)
    if client_authority is not None:
        context.load_verify_locations(client_authority)
        context.verify_mode = ssl.CERT_REQUIRED
    seen: list[str] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = listener.accept()
                with contextlib.suppress(OSError), context.wrap_socket(link, server_side=True) as secured:
                    seen.append(str(secured.getpeercert()))
                    secured.sendall(b"hello")
                link.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], seen
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def hello(port: int, terms: TlsTerms, seconds: float = 10.0) -> bytes:
    def dial() -> socket.socket:
        return socket.create_connection(("127.0.0.1", port))

    with secure(dial(), HOST, terms, seconds=seconds, redial=dial) as secured:
        return secured.recv(100)


def refusal(port: int, terms: TlsTerms, seconds: float = 10.0) -> TransportError:
    with pytest.raises(TransportError) as caught:
        hello(port, terms, seconds)
    return caught.value


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


def checked(authority: CertificateAuthority, name: str = "web1.corp", **terms: object) -> TlsTerms:
    return TlsTerms(name=name, ca_file=str(authority.path), **terms)  # type: ignore[arg-type]


def test_certificate_of_a_known_authority_is_accepted_for_the_hosts_own_name_and_address(
    authority: CertificateAuthority,
) -> None:
    with server(authority.issue("host", names=("web1.corp", "10.0.0.7", "fe80::7"))) as (port, _):
        for name in ("web1.corp", "10.0.0.7", "fe80::7"):
            assert hello(port, checked(authority, name)) == b"hello"


def test_certificate_of_another_host_says_whose_it_is_and_shows_its_fingerprint(
    authority: CertificateAuthority,
) -> None:
    other = authority.issue("other", names=("db9.corp", "10.0.0.9"))
    with server(other) as (port, _):
        error = refusal(port, checked(authority))
    assert error.cause is Cause.TLS
    assert error.detail.startswith("web-1 (web1.corp port 5986): its certificate was not accepted: ")
    assert "it is for db9.corp, 10.0.0.9, not for web1.corp" in error.detail
    assert f"its SHA-256 is {other.fingerprint}" in error.detail


def test_address_that_the_certificate_is_not_for_is_refused(authority: CertificateAuthority) -> None:
    with server(authority.issue("by-name", names=("web1.corp",))) as (port, _):
        assert "it is for web1.corp, not for 10.0.0.7" in refusal(port, checked(authority, "10.0.0.7")).detail


def test_expired_certificate_says_when_it_expired(authority: CertificateAuthority) -> None:
    with server(authority.issue("late", names=("web1.corp",), expired=True)) as (port, _):
        error = refusal(port, checked(authority))
    assert error.cause is Cause.TLS
    assert "it expired at 20" in error.detail


def test_self_signed_certificate_is_named_as_such(authority: CertificateAuthority, tmp_path: Path) -> None:
    own = self_signed(tmp_path, "own", names=("web1.corp",))
    with server(own) as (port, _):
        error = refusal(port, checked(authority))
    assert f"it is self-signed, and CN=own is not in {authority.path}" in error.detail
    assert own.fingerprint in error.detail


def test_certificate_of_a_private_authority_is_unknown_to_the_system(authority: CertificateAuthority) -> None:
    with server(authority.issue("private", names=("web1.corp",))) as (port, _):
        error = refusal(port, TlsTerms(name="web1.corp"))
    assert "its issuer CN=Longshore lab is not among the system's authorities" in error.detail


def test_pinned_certificate_is_accepted_for_its_fingerprint_alone(tmp_path: Path) -> None:
    own = self_signed(tmp_path, "own", names=("elsewhere",), expired=True)
    with server(own) as (port, _):
        assert hello(port, TlsTerms(name="web1.corp", fingerprint=own.fingerprint)) == b"hello"


def test_another_certificate_than_the_pinned_one_is_refused_though_it_would_do_otherwise(
    authority: CertificateAuthority,
) -> None:
    good = authority.issue("good", names=("web1.corp",))
    with server(good) as (port, _):
        error = refusal(port, checked(authority, fingerprint="0" * 64))
    assert error.cause is Cause.TLS
    assert f"its certificate has the SHA-256 {good.fingerprint}, but winrm.fingerprint is 000" in error.detail


def test_any_certificate_is_taken_where_that_was_asked_for(tmp_path: Path) -> None:
    with server(self_signed(tmp_path, "own", names=("elsewhere",), expired=True)) as (port, _):
        assert hello(port, TlsTerms(name="web1.corp", anything=True)) == b"hello"


def test_client_certificate_is_shown(authority: CertificateAuthority) -> None:
    user = authority.issue("deploy", client=True)
    client = ClientCertificate(certificate_file=str(user.path), key_file=str(user.key_path))
    with server(authority.issue("host", names=("web1.corp",)), authority.path) as (port, seen):
        assert hello(port, checked(authority, client=client)) == b"hello"
    assert "deploy" in seen[0]


def test_key_of_another_certificate_is_the_credentials_fault(authority: CertificateAuthority) -> None:
    user, other = authority.issue("one", client=True), authority.issue("two", client=True)
    client = ClientCertificate(
        certificate_file=str(user.path), key_file=str(other.key_path), passphrase=Secret("not-asked-for")
    )
    with closing_server() as listener:
        error = refusal(listener.port, checked(authority, client=client))
    assert error.cause is Cause.CREDENTIAL
    assert str(other.key_path) in error.detail


def test_file_without_certificates_is_the_credentials_fault(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("none")
    with closing_server() as listener:
        error = refusal(listener.port, TlsTerms(name="x", ca_file=str(tmp_path / "empty.pem")))
    assert error.cause is Cause.CREDENTIAL
    assert "no certificate in PEM form" in error.detail


def test_name_that_no_certificate_can_have_is_told(authority: CertificateAuthority) -> None:
    with closing_server() as listener:
        error = refusal(listener.port, checked(authority, f"{'x' * 70}.corp"))
    assert error.cause is Cause.TLS


def test_port_that_speaks_http_says_so(authority: CertificateAuthority) -> None:
    with http_server() as listener:
        error = refusal(listener.port, checked(authority))
    assert error.cause is Cause.TLS
    assert error.detail.endswith("it answered, but not in TLS; is the port one for http?")


def test_silence_and_an_end_at_once_are_told_apart(authority: CertificateAuthority) -> None:
    with closing_server() as listener:
        closed = refusal(listener.port, checked(authority))
    with silent_server() as listener:
        silent = refusal(listener.port, checked(authority), 0.3)
    assert isinstance(closed, UnheardError)
    assert isinstance(silent, UnheardError)
    assert (closed.lost, silent.lost) == (True, False)
    assert {closed.cause, silent.cause} == {Cause.PROTOCOL}
