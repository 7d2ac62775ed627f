"""Over every route the certificate must be the host's own; the proxy's address and name count for nothing."""

import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from config.causes import Cause
from config.fleet import Credential
from config.targets import HostTarget, PortForward
from lab.sshd import Sshd
from lab.winrm.certificates import CertificateAuthority, self_signed
from tests.support.relay import Relay, relay_to
from tests.support.scripted_winrm import Service, scripted
from tests.support.ssh import QUICK, connected, failure, run
from tests.support.trouble import silent_server
from workers.connections import Connections
from workers.transports.base import Deadlines
from workers.transports.stages import StageTimer


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def service(authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("WINRM_PASSWORD", "anything")
    certificate = authority.issue("web1.corp")
    with scripted() as running:
        running.secure(certificate.path, certificate.key_path)
        yield running


@pytest.fixture
def relay(service: Service) -> Iterator[Relay]:
    with relay_to("127.0.0.1", service.port) as running:
        yield running


def forwarded(service: Service, relay: Relay, **settings: object) -> HostTarget:
    forward = PortForward(name="winproxy", address="127.0.0.1", port=relay.port)
    changes = {"address": "web1.corp", "forward": forward, "route": "forward"}
    return service.target(**settings).model_copy(update=changes)


def test_forwarded_host_is_checked_by_its_own_name(
    service: Service, relay: Relay, authority: CertificateAuthority
) -> None:
    target = forwarded(service, relay, ca_file=str(authority.path))
    with connected(target) as session:
        assert run(session, "x") == (b"", 0)
    error = failure(target.model_copy(update={"address": "db1.corp"}))
    assert (error.cause, error.stage) == (Cause.TLS, "tls")
    assert error.detail.startswith(
        f"win-1 (db1.corp port {service.port} through proxy winproxy port {relay.port}): its certificate was "
        "not accepted: it is for web1.corp, not for db1.corp; its SHA-256 is "
    )


def test_certificate_for_the_proxys_address_is_refused(
    service: Service, relay: Relay, authority: CertificateAuthority
) -> None:
    proxys = authority.issue("proxy", names=("127.0.0.1", "localhost"))
    service.secure(proxys.path, proxys.key_path)
    error = failure(forwarded(service, relay, ca_file=str(authority.path)))
    assert error.cause is Cause.TLS
    assert "it is for 127.0.0.1, localhost, not for web1.corp" in error.detail


def test_name_in_the_certificate_can_be_another_than_the_address(
    service: Service, authority: CertificateAuthority
) -> None:
    target = service.target(ca_file=str(authority.path))
    assert failure(target).cause is Cause.TLS
    named = service.target(ca_file=str(authority.path), certificate_name="web1.corp")
    with connected(named) as session:
        assert run(session, "x") == (b"", 0)


def test_forward_that_leads_to_another_host_is_told_by_the_pin(
    service: Service, relay: Relay, authority: CertificateAuthority
) -> None:
    pinned = authority.issue("web1.corp again", names=("web1.corp",))
    error = failure(forwarded(service, relay, fingerprint=pinned.fingerprint))
    assert error.cause is Cause.TLS
    assert f"but winrm.fingerprint is {pinned.fingerprint}" in error.detail
    service.secure(pinned.path, pinned.key_path)
    with connected(forwarded(service, relay, fingerprint=pinned.fingerprint)) as session:
        assert run(session, "x") == (b"", 0)


def test_unknown_authority_shows_the_fingerprint_that_can_be_pinned(
    service: Service, sshd: Sshd, authority: CertificateAuthority
) -> None:
    own = self_signed(authority.path.parent, "self")
    service.secure(own.path, own.key_path)
    jumping = service.target().model_copy(update={"hops": (sshd.hop(),), "route": "jump"})
    for target in (service.target(), jumping):
        error = failure(target)
        assert error.cause is Cause.TLS
        assert f"its SHA-256 is {own.fingerprint}, to be pinned" in error.detail
        settings = service.target(fingerprint=own.fingerprint).winrm
        with connected(target.model_copy(update={"winrm": settings})) as session:
            assert run(session, "x") == (b"", 0)


def test_second_look_at_a_refused_certificate_frees_its_place_first(service: Service, sshd: Sshd) -> None:
    hop = sshd.hop().model_copy(update={"max_channels": 1})
    # A second look that gets no place in this time has nothing to tell.
    connections = Connections(idle=60, deadlines=Deadlines(place=0.2))
    target = service.target().model_copy(update={"hops": (hop,), "route": "jump"})
    for _ in range(3):
        with pytest.raises(Exception, match="to be pinned"), connections.session(target, {}):
            pass
    connections.close()


def test_user_logs_in_with_a_certificate(service: Service, authority: CertificateAuthority) -> None:
    assert service.tls is not None
    service.tls.load_verify_locations(authority.path)
    service.tls.verify_mode = ssl.CERT_REQUIRED
    user = authority.issue("deploy", client=True)
    credential = Credential(user="deploy", certificate_file=str(user.path), key_file=str(user.key_path))
    target = service.target(
        transport="certificate", ca_file=str(authority.path), certificate_name="web1.corp"
    ).model_copy(update={"credential": credential})
    with connected(target) as session:
        assert run(session, "x") == (b"", 0)
    stranger = self_signed(authority.path.parent, "stranger")
    files = {"certificate_file": str(stranger.path), "key_file": str(stranger.key_path)}
    unknown = credential.model_copy(update=files)
    error = failure(target.model_copy(update={"credential": unknown}))
    # Which of two texts it is depends on whether the host's reset overtakes its reason.
    assert (error.cause, error.stage) == (Cause.AUTH, "login")
    without = credential.model_copy(update={"certificate_file": None})
    error = failure(target.model_copy(update={"credential": without}))
    assert (error.cause, error.stage) == (Cause.CREDENTIAL, "login")
    assert "needs certificate_file and key_file" in error.detail


def test_any_certificate_is_taken_where_the_host_says_so(service: Service) -> None:
    with connected(service.target(ignore_certificate=True)) as session:
        assert run(session, "x") == (b"", 0)


def test_silence_in_the_handshake_and_a_forward_to_nowhere(service: Service, relay: Relay) -> None:
    with silent_server() as silent:
        error = failure(
            service.target().model_copy(update={"port": silent.port}),
            deadlines=QUICK.model_copy(update={"handshake": 0.5}),
        )
    assert (error.cause, error.stage) == (Cause.PROTOCOL, "tls")
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    relay.forward_to("127.0.0.1", port)
    error = failure(forwarded(service, relay))
    # The relay's reset may come as early as during the connect.
    assert (error.cause, error.proxy) == (Cause.PROXY_FORWARD_REFUSED, "winproxy")
    assert error.stage in {"tcp", "tls"}


def test_handshake_is_a_stage_of_its_own(service: Service, authority: CertificateAuthority) -> None:
    timer = StageTimer(time.monotonic)
    connections = Connections(idle=0)
    target = service.target(ca_file=str(authority.path), certificate_name="web1.corp")
    with connections.session(target, {}, stages=timer):
        pass
    connections.close()
    assert [stage.name for stage in timer.stages] == ["dns", "tcp", "tls", "login"]
