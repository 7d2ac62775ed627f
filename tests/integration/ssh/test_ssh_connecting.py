"""Each way in which a direct connection can fail has its cause, and each kind of login works."""

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.causes import Cause
from config.fleet import Credential, SecretReference
from config.targets import HostTarget
from lab.accounts import is_root, temporary_account
from lab.keys import KeyKind, make_key
from lab.sshd import Sshd, SshdFactory, running_servers
from tests.support.ssh import PATIENT, QUICK, connected, failure, run, stranger
from tests.support.sshd import require
from tests.support.trouble import closing_server, full_server, http_server, silent_server
from workers.routes import Tunnels, open_session
from workers.transports.stages import StageTimer

PASSPHRASE = "correct-horse-battery"  # noqa: S105 - of keys and accounts that exist for one test
PASSWORD = "staple-Tr0ub4dor"  # noqa: S105 - as above


def at(target: HostTarget, **changes: object) -> HostTarget:
    return target.model_copy(update=changes)


def test_command_runs_and_its_output_input_and_exit_code_come_through(sshd: Sshd) -> None:
    with connected(sshd.target()) as session:
        assert run(session, "cat; exit 7", b"in") == (b"in", 7)


def test_ipv6_address_is_reached(sshd: Sshd) -> None:
    with connected(sshd.target(address="::1")) as session:
        assert run(session, "echo six") == (b"six\n", 0)


def test_name_with_several_addresses_is_reached(sshd: Sshd) -> None:
    with connected(sshd.target(address="localhost")) as session:
        assert run(session, "echo name") == (b"name\n", 0)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_key_of_each_kind_logs_in(
    kind: KeyKind, passphrase: str, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    sshd.authorize(make_key(key, kind, passphrase=passphrase or None))
    monkeypatch.setenv("KEY_PASSPHRASE", passphrase)
    reference = SecretReference(env="KEY_PASSPHRASE") if passphrase else None
    credential = Credential(user=sshd.account.user, key_file=str(key), passphrase=reference)
    with connected(sshd.target(credential=credential)) as session:
        assert run(session, "echo in") == (b"in\n", 0)


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_known_host_key_of_each_kind_is_accepted(kind: KeyKind, sshd: Sshd) -> None:
    sshd.kill()
    sshd.new_host_key(kind)
    sshd.start()
    with connected(sshd.target()) as session:
        assert run(session, "echo in") == (b"in\n", 0)


@pytest.fixture(scope="module")
def password_server() -> Iterator[Sshd]:
    if not is_root():
        pytest.skip("an account with a known password needs root")
    require("openssl")
    with temporary_account(password=PASSWORD) as served, running_servers(served) as make:
        yield make()


def test_password_logs_in(password_server: Sshd, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    credential = Credential(user=password_server.account.user, password=SecretReference(file=str(secret)))
    with connected(password_server.target(credential=credential)) as session:
        assert run(session, "echo in") == (b"in\n", 0)


def test_wrong_password_is_auth(password_server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_PASSWORD", "not-" + PASSWORD)
    credential = Credential(user=password_server.account.user, password=SecretReference(env="HOST_PASSWORD"))
    error = failure(password_server.target(credential=credential))
    assert error.cause is Cause.AUTH
    assert PASSWORD not in str(error)
    assert password_server.account.user in error.detail


def test_password_where_only_keys_are_taken_names_what_is(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_PASSWORD", PASSWORD)
    credential = Credential(user=sshd.account.user, password=SecretReference(env="HOST_PASSWORD"))
    error = failure(sshd.target(credential=credential))
    assert error.cause is Cause.AUTH
    assert "publickey" in error.detail


def test_wrong_key_is_auth(sshd: Sshd, tmp_path: Path) -> None:
    credential = stranger(sshd, tmp_path)
    error = failure(sshd.target(credential=credential))
    assert error.cause is Cause.AUTH
    assert str(tmp_path / "other") in error.detail


def test_wrong_passphrase_is_credential_and_shows_no_secret(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("KEY_PASSPHRASE", "wrong-one")
    key = tmp_path / "key"
    make_key(key, passphrase=PASSPHRASE)
    reference = SecretReference(env="KEY_PASSPHRASE")
    credential = Credential(user=sshd.account.user, key_file=str(key), passphrase=reference)
    error = failure(sshd.target(credential=credential))
    assert (error.cause, error.stage) == (Cause.CREDENTIAL, "login")
    assert "wrong-one" not in str(error) + caplog.text


def test_missing_reference_is_credential_and_is_named(sshd: Sshd) -> None:
    credential = Credential(user="x", password=SecretReference(env="LONGSHORE_TEST_UNSET"))
    error = failure(sshd.target(credential=credential))
    assert error.cause is Cause.CREDENTIAL
    assert "LONGSHORE_TEST_UNSET" in error.detail


def test_secrets_are_in_no_log_even_at_debug(
    password_server: Sshd, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HOST_PASSWORD", PASSWORD)
    credential = Credential(user=password_server.account.user, password=SecretReference(env="HOST_PASSWORD"))
    with connected(password_server.target(credential=credential)) as session:
        assert PASSWORD not in repr(session)
    assert PASSWORD not in caplog.text


def test_unknown_host_key_is_refused_and_shown(sshd: Sshd) -> None:
    error = failure(at(sshd.target(), host_key=()))
    assert error.cause is Cause.HOST_KEY_UNKNOWN
    assert error.observed_key == sshd.host_key
    assert sshd.logins() == 0


def test_unknown_host_key_is_accepted_and_observed_when_asked(sshd: Sshd) -> None:
    session, observed = open_session(
        at(sshd.target(), host_key=()), {}, tunnels=Tunnels(PATIENT), accept_unknown=True, deadlines=PATIENT
    )
    session.close()
    assert observed == {"web-1": sshd.host_key}


def test_pinned_key_is_accepted(sshd: Sshd) -> None:
    pins = {"web-1": sshd.host_key}
    session, _ = open_session(
        at(sshd.target(), host_key=()), pins, tunnels=Tunnels(PATIENT), deadlines=PATIENT
    )
    session.close()


@pytest.mark.parametrize("accept_unknown", [False, True])
def test_changed_host_key_is_refused_before_the_login(accept_unknown: bool, sshd: Sshd) -> None:
    target = sshd.target()
    sshd.kill()
    sshd.new_host_key()
    sshd.start()
    error = failure(target, accept_unknown=accept_unknown)
    assert error.cause is Cause.HOST_KEY_CHANGED
    assert error.observed_key == sshd.host_key
    assert sshd.logins() == 0


def test_refused(sshd: Sshd) -> None:
    sshd.kill()
    assert failure(sshd.target()).cause is Cause.TCP_REFUSED


def test_no_answer_is_tcp_timeout_within_the_deadline(sshd: Sshd) -> None:
    deadlines = QUICK.model_copy(update={"connect": 0.3})
    with full_server() as port:
        start = time.monotonic()
        error = failure(at(sshd.target(), port=port), deadlines=deadlines)
    assert error.cause is Cause.TCP_TIMEOUT
    assert time.monotonic() - start < 2


def test_no_route_is_tcp_unreachable(sshd: Sshd) -> None:
    # Class E: the kernel itself knows no way to it.
    error = failure(at(sshd.target(), address="255.255.255.255"))
    assert error.cause is Cause.TCP_UNREACHABLE


def test_unknown_name_is_dns(sshd: Sshd) -> None:
    error = failure(at(sshd.target(), address="no-such-host.invalid"))
    assert (error.cause, error.detail.split(":")[0]) == (
        Cause.DNS,
        f"web-1 (no-such-host.invalid port {sshd.port})",
    )


def test_host_that_says_nothing_is_protocol_within_the_deadline(sshd: Sshd) -> None:
    with silent_server() as server:
        start = time.monotonic()
        error = failure(at(sshd.target(), port=server.port))
    assert error.cause is Cause.PROTOCOL
    assert "said nothing within 1 s" in error.detail
    assert time.monotonic() - start < 4


def test_host_that_closes_at_once_is_protocol(sshd: Sshd) -> None:
    with closing_server() as server:
        error = failure(at(sshd.target(), port=server.port))
    assert error.cause is Cause.PROTOCOL
    assert "closed" in error.detail


def test_server_that_is_not_ssh_is_quoted_without_its_control_characters(sshd: Sshd) -> None:
    with http_server() as server:
        error = failure(at(sshd.target(), port=server.port))
    assert error.cause is Cause.PROTOCOL
    assert "HTTP/1.1 400 Bad Request" in error.detail
    assert error.detail.isprintable()


def test_overloaded_sshd_is_quoted(sshd_factory: SshdFactory) -> None:
    server = sshd_factory(options={"MaxStartups": "1:100:1"})
    with socket.create_connection(("127.0.0.1", server.port)) as link:
        # It holds the only place of MaxStartups, and never logs in.
        assert link.recv(4) == b"SSH-"
        error = failure(server.target())
    assert error.cause is Cause.PROTOCOL
    assert "MaxStartups" in error.detail or "closed" in error.detail


def test_stages_are_timed_in_order_and_the_failed_one_is_last(sshd: Sshd, tmp_path: Path) -> None:
    timer = StageTimer(time.monotonic)
    session, _ = open_session(sshd.target(), {}, tunnels=Tunnels(PATIENT), deadlines=PATIENT, stages=timer)
    session.close()
    assert [stage.name for stage in timer.stages] == ["dns", "tcp", "banner", "host_key", "login"]
    assert all(stage.ok for stage in timer.stages)

    timer = StageTimer(time.monotonic)
    credential = stranger(sshd, tmp_path)
    error = failure(sshd.target(credential=credential), stages=timer)
    assert error.stage == "login"
    assert [(stage.name, stage.ok) for stage in timer.stages][-1] == ("login", False)
