"""Logins with tickets of a real KDC; the lab's hosts accept them by GSSAPI, with a key of their own.

Python's packages for it are compiled where they are installed, so `make kerberos` runs this, not `make test`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import spnego

from config.causes import Cause
from config.fleet import Credential, WinRM
from config.targets import HostTarget, PortForward
from lab.windows.machine import WindowsMachine
from lab.winrm.certificates import CertificateAuthority
from lab.winrm.host import WinrmHost
from lab.winrm.server import WinrmServer
from tests.support.kdc import HOST, PASSWORD, USER, Realm, running_realm
from tests.support.ssh import connected, failure, run

pytest.importorskip("kerberos", reason="`make kerberos` installs it")
pytest.importorskip("gssapi", reason="`make kerberos` installs it")

ADDRESS = "127.0.0.1"


@pytest.fixture
def realm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Realm]:
    with running_realm(tmp_path) as realm:
        for name, value in realm.environment.items():
            monkeypatch.setenv(name, value)
        yield realm


@pytest.fixture(params=["https", "http"])
def target(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HostTarget]:
    """A host of the realm behind a forwarded port; over http its messages are sealed."""
    options = spnego.NegotiateOptions.use_gssapi | spnego.NegotiateOptions.wrapping_winrm
    monkeypatch.setattr(
        "lab.winrm.login.acceptor",
        lambda *_: spnego.server(hostname=HOST, service="HTTP", protocol="kerberos", options=options),
    )
    authority = CertificateAuthority(tmp_path / "authority")
    machine = WindowsMachine("win-1", tmp_path / "win-1", passwords={"deploy": PASSWORD})
    host = WinrmHost(machine, certificate=authority.issue(HOST))
    tls = request.param == "https"
    trusted = {"ca_file": str(authority.path)} if tls else {}
    with WinrmServer({ADDRESS: host}, tls=tls) as server:
        yield HostTarget(
            name="win-1",
            cluster="win",
            os="windows",
            pool="office",
            address=HOST,
            port=5986,
            credential=Credential(user=USER),
            route="forward",
            forward=PortForward(name="winproxy", address=ADDRESS, port=server.port),
            winrm=WinRM.model_validate({"transport": "kerberos", "scheme": request.param, **trusted}),
        )


def test_a_ticket_is_for_the_hosts_own_name_whatever_is_connected_to(
    realm: Realm, target: HostTarget
) -> None:
    realm.get_ticket()
    assert target.forward is not None
    assert target.winrm is not None
    by_address = {
        "address": ADDRESS,
        "port": target.forward.port,
        "route": "direct",
        "forward": None,
        "winrm": target.winrm.model_copy(update={"certificate_name": HOST}),
    }
    for reached in (target, target.model_copy(update=by_address)):
        with connected(reached) as session:
            assert run(session, "cmd.exe /c echo hello") == (b"hello\r\n", 0)


@pytest.mark.usefixtures("realm")
def test_without_a_ticket_the_login_is_refused_and_says_how_to_get_one(target: HostTarget) -> None:
    error = failure(target)
    assert (error.cause, error.stage) == (Cause.AUTH, "login")
    assert f"no Kerberos login as user {USER}: Can't find client principal {USER}" in error.detail
    assert error.detail.endswith(f"`klist` on the worker shows its tickets, `kinit {USER}` gets one")


def test_a_host_that_the_realm_doesnt_know_is_named(realm: Realm, target: HostTarget) -> None:
    realm.get_ticket()
    assert target.winrm is not None
    winrm = target.winrm.model_copy(update={"certificate_name": HOST if target.winrm.ca_file else None})
    error = failure(target.model_copy(update={"address": "win-2.lab.example", "winrm": winrm}))
    assert error.cause is Cause.AUTH
    assert "Server HTTP/win-2.lab.example@LAB.EXAMPLE not found in Kerberos database" in error.detail
