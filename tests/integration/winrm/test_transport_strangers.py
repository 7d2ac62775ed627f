"""What answers at the port is no WinRM, or not one that can be logged in to; each is told in words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from config.causes import Cause
from config.fleet import Credential, SecretReference, WinRM
from config.targets import HostTarget, PortForward
from lab.tcp import free_port
from tests.support.ssh import QUICK, failure
from tests.support.trouble import TroubleServer, closing_server, silent_server

PASSWORD = "staple-Tr0ub4dor"  # noqa: S105 - of nobody


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINRM_PASSWORD", PASSWORD)
    # What is set here must not matter: an environment's proxy, and its certificates.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.devnull)


def host(port: int, **settings: object) -> HostTarget:
    return HostTarget(
        name="win-1",
        cluster="win",
        os="windows",
        pool="office",
        address="127.0.0.1",
        port=port,
        credential=Credential(user="deploy", password=SecretReference(env="WINRM_PASSWORD")),
        route="direct",
        winrm=WinRM.model_validate({"scheme": "http", **settings}),
    )


@contextmanager
def answering(status: str, *headers: str, body: str = "") -> Iterator[int]:
    """A port at which every request is answered alike; the port."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", body]
    server = TroubleServer("\r\n".join(lines).encode(), closes=False)
    try:
        yield server.port
    finally:
        server.stop()


def test_port_where_nobody_listens() -> None:
    port = free_port()
    error = failure(host(port))
    assert (error.cause, error.stage) == (Cause.TCP_REFUSED, "tcp")
    assert error.detail == f"win-1 (127.0.0.1 port {port}): connection refused"


def test_server_that_closes_at_once_or_says_nothing() -> None:
    with closing_server() as server:
        closed = failure(host(server.port))
    with silent_server() as server:
        silent = failure(host(server.port), deadlines=QUICK.model_copy(update={"login": 1.0}))
    assert closed.detail.endswith("accepted the connection, but closed it without an answer")
    assert silent.detail.endswith("accepted the connection, but did not answer in time")
    assert {closed.cause, silent.cause} == {Cause.PROTOCOL}
    assert {closed.stage, silent.stage} == {"login"}


def test_forwarded_port_that_closes_at_once_is_the_forwards_fault() -> None:
    with closing_server() as server:
        forward = PortForward(name="winproxy", address="127.0.0.1", port=server.port)
        target = host(5985).model_copy(update={"address": "192.0.2.1", "forward": forward})
        error = failure(target)
    assert (error.cause, error.proxy) == (Cause.PROXY_FORWARD_REFUSED, "winproxy")
    assert error.detail.endswith("nothing answers for it at win-1 (192.0.2.1 port 5985)")


def test_ssh_server() -> None:
    server = TroubleServer(b"SSH-2.0-OpenSSH_9.2p1\r\n", closes=False)
    error = failure(host(server.port))
    server.stop()
    assert error.cause is Cause.PROTOCOL
    assert "is no WinRM service: it said 'SSH-2.0-OpenSSH_9.2p1'" in error.detail


def test_web_server_that_has_no_winrm() -> None:
    with answering("404 Not Found", body="<h1>nothing here</h1>") as port:
        error = failure(host(port))
    assert error.cause is Cause.PROTOCOL
    assert error.detail.endswith("is no WinRM service: it answered with HTTP 404")


def test_web_server_that_is_content_with_anything() -> None:
    with answering("200 OK", body="<h1>hello</h1>") as port:
        for transport in ("ntlm", "basic"):
            error = failure(host(port, transport=transport, insecure=transport == "basic"))
            assert error.cause is Cause.PROTOCOL
            assert "its answer can't be understood" in error.detail


def test_redirection_is_not_followed() -> None:
    with answering("302 Found", "Location: http://127.0.0.1:1/") as port:
        assert failure(host(port)).cause is Cause.PROTOCOL


def test_login_that_the_host_doesnt_offer_names_those_that_it_does() -> None:
    with answering(
        "401 Unauthorized", "WWW-Authenticate: Kerberos", 'WWW-Authenticate: Basic realm="x"'
    ) as port:
        error = failure(host(port))
    assert error.cause is Cause.AUTH
    assert error.detail.endswith(
        "user deploy was refused with ntlm: the login was refused; the host offers Kerberos, Basic"
    )


def test_user_who_may_not() -> None:
    with answering("403 Forbidden") as port:
        error = failure(host(port))
    assert error.cause is Cause.AUTH
    assert "it answered with HTTP 403" in error.detail


def test_server_error_without_a_reason() -> None:
    with answering("500 Internal Server Error") as port:
        error = failure(host(port))
    assert error.cause is Cause.COMMAND
    assert "it answered with HTTP 500 and no reason" in error.detail


@pytest.mark.parametrize("transport", ["kerberos", "credssp"])
def test_login_that_needs_another_package_names_it(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"winrm.transport.HAVE_{transport.upper()}", False)
    with silent_server() as server:
        error = failure(host(server.port, transport=transport))
    assert (error.cause, error.stage) == (Cause.CREDENTIAL, "login")
    assert f"install pywinrm[{transport}]" in error.detail


def test_readable_password_is_not_sent_over_http_unless_told_to() -> None:
    with silent_server() as server:
        error = failure(host(server.port, transport="basic"))
    assert error.cause is Cause.CREDENTIAL
    assert error.detail.endswith("basic over http is not encrypted; use https, or ntlm")


def test_password_that_the_worker_doesnt_have_is_named_by_its_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WINRM_PASSWORD")
    with silent_server() as server:
        error = failure(host(server.port))
    assert (error.cause, error.stage) == (Cause.CREDENTIAL, "login")
    assert "WINRM_PASSWORD" in error.detail


def test_password_is_in_no_message_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    with answering("401 Unauthorized", "WWW-Authenticate: Basic") as port:
        error = failure(host(port, transport="basic", insecure=True))
    assert error.cause is Cause.AUTH
    assert PASSWORD not in caplog.text + str(error) + repr(error) + error.detail
