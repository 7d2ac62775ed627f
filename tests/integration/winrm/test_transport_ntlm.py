"""Logins with NTLM, the default: over HTTP messages are sealed, and a dropped connection can't be healed."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.causes import Cause
from tests.support.certificates import CertificateAuthority
from tests.support.scripted_winrm import Drop, Fault, Output, Service, scripted
from tests.support.ssh import connected, failure, run
from workers.transports.base import TransportError

PASSWORD = "Grüße-staple-Tr0ub4dor"  # noqa: S105 - of a user that exists for one test


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    users = tmp_path / "users"
    users.write_text(f":deploy:{PASSWORD}\nCORP:deploy:{PASSWORD}\n", encoding="utf-8")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    monkeypatch.setenv("WINRM_PASSWORD", PASSWORD)
    with scripted() as running:
        running.ntlm = True
        yield running


@pytest.fixture
def secured(service: Service, tmp_path: Path) -> Service:
    certificate = CertificateAuthority(tmp_path).issue("127.0.0.1")
    service.secure(certificate.path, certificate.key_path)
    return service


def authority(tmp_path: Path) -> str:
    return str(tmp_path / "authority.pem")


def test_messages_are_sealed_over_http(service: Service) -> None:
    content = os.urandom(600_000)
    service.then("Receive", Output(content), Output(exit_code=3))
    with connected(service.target()) as session:
        assert run(session, "x", content) == (content, 3)
    assert bytes(service.input) == content
    assert service.sealed == [True] * len(service.asked)
    assert service.connections == 1


def test_fault_in_a_sealed_answer_is_read(service: Service) -> None:
    service.then("Create", Fault(2150859173, "No more shells."))
    error = failure(service.target())
    assert (error.cause, error.stage) == (Cause.COMMAND, "login")
    assert "No more shells (fault 2150859173)" in error.detail


def test_messages_are_left_to_tls_over_https(secured: Service, tmp_path: Path) -> None:
    with connected(secured.target(ca_file=authority(tmp_path))) as session:
        assert run(session, "x", b"in") == (b"", 0)
    assert secured.sealed == [False] * len(secured.asked)


def test_messages_are_not_sealed_where_the_host_is_said_to_be_insecure(service: Service) -> None:
    with connected(service.target(insecure=True)) as session:
        assert run(session, "x") == (b"", 0)
    assert service.sealed == [False] * len(service.asked)


def test_login_takes_two_or_three_requests_more_than_the_shell(secured: Service, tmp_path: Path) -> None:
    with connected(secured.target(ca_file=authority(tmp_path))):
        assert (secured.requests, secured.asked) == (3, ["Create"])
    secured.tls = None
    with connected(secured.target()):
        assert (secured.requests - 4, secured.asked[-1]) == (4, "Create")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_wrong_password_is_a_refused_login(
    scheme: str, secured: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if scheme == "http":
        secured.tls = None
    monkeypatch.setenv("WINRM_PASSWORD", "wrong")
    error = failure(secured.target(ca_file=authority(tmp_path)))
    assert (error.cause, error.stage) == (Cause.AUTH, "login")
    assert error.detail == (
        f"win-1 (127.0.0.1 port {secured.port}): user deploy was refused with ntlm: the login was refused; "
        "the host offers Negotiate"
    )
    assert secured.asked == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("action", ["Command", "Send", "Receive"])
def test_dropped_connection_is_lost_and_never_made_again(
    scheme: str, action: str, secured: Service, tmp_path: Path
) -> None:
    if scheme == "http":
        secured.tls = None
    secured.then(action, Drop())
    with (
        connected(secured.target(ca_file=authority(tmp_path))) as session,
        pytest.raises(TransportError) as caught,
    ):
        session.start("x", stdin=b"script").read(1)
    assert caught.value.cause is Cause.CONNECTION_LOST
    assert (secured.connections, secured.asked.count(action)) == (1, 1)


def test_user_of_a_domain_logs_in(service: Service) -> None:
    target = service.target()
    for name in (r"CORP\deploy", r"corp\Deploy"):
        user = target.credential.model_copy(update={"user": name})
        with connected(target.model_copy(update={"credential": user})) as session:
            assert run(session, "x") == (b"", 0)


def test_connection_that_was_closed_while_idle_is_lost_at_the_next_command(service: Service) -> None:
    with connected(service.target()) as session:
        assert run(session, "x") == (b"", 0)
        service.drop()
        with pytest.raises(TransportError) as caught:
            session.start("y")
        assert not session.is_alive()
    assert caught.value.cause is Cause.CONNECTION_LOST
    assert (service.connections, service.asked.count("Command")) == (1, 1)


def test_upload_is_fast_enough(secured: Service, tmp_path: Path) -> None:
    content = os.urandom(256 * 1024)
    with connected(secured.target(ca_file=authority(tmp_path))) as session:
        follow = session.start("x")
        begun = time.thread_time()
        for _ in range(100):
            follow.write(content, 15)
        seconds = time.thread_time() - begun
        follow.end_input()
        assert follow.read(5) == b""
        follow.close()
    # CPU of this side, so that a busy machine doesn't matter; the rate itself is measured by the bench.
    assert seconds < 100 * 0.0125, f"{100 * len(content) / 1e6 / seconds:.0f} MB per second of CPU"
