"""SSH hosts behind a Windows proxy: a forwarded port is connected to, the host's own key is what counts."""

import errno

import pytest

from config.causes import Cause
from config.targets import HostTarget, PortForward
from lab.sshd import Sshd, SshdFactory
from lab.tcp import free_port
from tests.support.relay import relay_to
from tests.support.ssh import connected, failure, loss, run
from tests.support.trouble import closing_server, silent_server
from workers.connections import Connections
from workers.transports.stages import StageTimer

ELSEWHERE = "192.0.2.1"


def behind(host: HostTarget, port: int, **changes: object) -> HostTarget:
    """The host at an address that only its proxy could reach, behind a forwarded port on loopback."""
    forward = PortForward(name="winproxy", address="127.0.0.1", port=port)
    return host.model_copy(update={"address": ELSEWHERE, "forward": forward, "route": "forward", **changes})


def test_host_is_reached_through_a_forwarded_port(sshd: Sshd) -> None:
    with relay_to("127.0.0.1", sshd.port) as relay, connected(behind(sshd.target(), relay.port)) as session:
        assert run(session, "cat; exit 3", b"x" * 300_000) == (b"x" * 300_000, 3)


def test_host_is_reached_through_a_forwarded_port_behind_a_linux_proxy(
    sshd: Sshd, sshd_factory: SshdFactory
) -> None:
    target = sshd.target(via=(sshd_factory().hop(),))
    with relay_to("127.0.0.1", sshd.port) as relay, connected(behind(target, relay.port)) as session:
        assert run(session, "echo in") == (b"in\n", 0)


def test_port_that_is_forwarded_to_another_host_shows_by_the_host_key(
    sshd: Sshd, sshd_factory: SshdFactory
) -> None:
    with relay_to("127.0.0.1", sshd_factory().port) as relay:
        error = failure(behind(sshd.target(), relay.port))
    assert error.cause is Cause.HOST_KEY_CHANGED
    assert f"({ELSEWHERE} port {sshd.port} through proxy winproxy port {relay.port})" in error.detail


def test_port_without_a_forward_names_the_proxy(sshd: Sshd) -> None:
    port = free_port()
    error = failure(behind(sshd.target(), port))
    assert (error.cause, error.proxy) == (Cause.PROXY_TCP_REFUSED, "winproxy")
    assert error.detail == f"proxy winproxy (127.0.0.1 port {port}): connection refused"


def test_forward_whose_host_is_down_says_so(sshd: Sshd) -> None:
    with closing_server() as relay:
        error = failure(behind(sshd.target(), relay.port))
    assert (error.cause, error.proxy, error.stage) == (Cause.PROXY_FORWARD_REFUSED, "winproxy", "banner")
    assert error.detail == (
        f"proxy winproxy (127.0.0.1 port {relay.port}): took the connection and closed it at once: "
        f"nothing answers for it at web-1 ({ELSEWHERE} port {sshd.port})"
    )


def test_forward_whose_host_says_nothing_says_so(sshd: Sshd) -> None:
    with silent_server() as relay:
        error = failure(behind(sshd.target(), relay.port))
    assert (error.cause, error.proxy) == (Cause.PROXY_FORWARD_TIMEOUT, "winproxy")


def test_relay_that_goes_in_the_middle_is_a_lost_connection_that_names_it(sshd: Sshd) -> None:
    with relay_to("127.0.0.1", sshd.port) as relay, connected(behind(sshd.target(), relay.port)) as session:
        follow = session.start("sleep 60")
        relay.cut()
        error = loss(follow)
    assert error.cause is Cause.CONNECTION_LOST
    assert f"through proxy winproxy port {relay.port}" in error.detail


def test_kept_session_is_used_again_only_for_the_same_forwarded_port(sshd: Sshd) -> None:
    connections = Connections(idle=30)
    with relay_to("127.0.0.1", sshd.port) as one, relay_to("127.0.0.1", sshd.port) as two:
        for relay in (one, one, two):
            with connections.session(behind(sshd.target(), relay.port), {}) as session:
                assert run(session, "echo in") == (b"in\n", 0)
        connections.close()
    assert sshd.logins() == 2


def test_stages_of_a_forward_are_those_of_the_proxy_and_then_of_the_host(sshd: Sshd) -> None:
    ticks = iter(range(100))
    timer = StageTimer(lambda: float(next(ticks)))
    connections = Connections(idle=0)
    with (
        relay_to("127.0.0.1", sshd.port) as relay,
        connections.session(behind(sshd.target(), relay.port), {}, stages=timer),
    ):
        pass
    connections.close()
    assert [stage.name for stage in timer.stages] == ["dns", "tcp", "banner", "host_key", "login"]


def test_forward_to_a_port_where_nobody_listens_is_reset_and_says_so(sshd: Sshd) -> None:
    with relay_to("127.0.0.1", free_port()) as relay:
        error = failure(behind(sshd.target(), relay.port))
    assert (error.cause, error.proxy) == (Cause.PROXY_FORWARD_REFUSED, "winproxy")


def test_reset_as_early_as_in_the_connect_says_so_too(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whether a reset overtakes the connect is the kernel's to say: a real relay does it now and then only.
    def reset(*_: object) -> None:
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    monkeypatch.setattr("workers.transports.sockets.TcpStream.connect", reset)
    error = failure(behind(sshd.target(), 15022))
    assert (error.cause, error.proxy, error.stage) == (Cause.PROXY_FORWARD_REFUSED, "winproxy", "tcp")
    error = failure(sshd.target())
    assert (error.cause, error.proxy, error.stage) == (Cause.PROTOCOL, "", "tcp")
