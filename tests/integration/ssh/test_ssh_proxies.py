"""Hosts behind proxies: one shared connection, its places, its causes, and its end."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from config.causes import Cause
from config.targets import HostTarget
from lab.sshd import Sshd, SshdFactory
from tests.support.ssh import PATIENT, QUICK, connected, failure, loss, output, run, stranger
from tests.support.trouble import closing_server, full_server, http_server, silent_server
from workers.routes import Tunnels, open_session
from workers.transports.base import TransportError
from workers.transports.stages import StageTimer


@pytest.fixture
def proxy(sshd_factory: SshdFactory) -> Sshd:
    return sshd_factory()


def at(target: HostTarget, **changes: object) -> HostTarget:
    return target.model_copy(update=changes)


def test_host_is_reached_through_a_proxy(sshd: Sshd, proxy: Sshd) -> None:
    with connected(sshd.target(via=(proxy.hop(),))) as session:
        assert run(session, "cat; exit 3", b"x" * 300_000) == (b"x" * 300_000, 3)
    assert (sshd.logins(), proxy.logins()) == (1, 1)


def test_host_is_reached_through_a_proxy_by_ipv6_and_by_name(sshd: Sshd, proxy: Sshd) -> None:
    for address in ("::1", "localhost"):
        with connected(sshd.target(address=address, via=(proxy.hop(),))) as session:
            assert run(session, "echo in") == (b"in\n", 0)


def test_host_is_reached_through_a_chain_of_proxies(
    sshd: Sshd, proxy: Sshd, sshd_factory: SshdFactory
) -> None:
    inner = sshd_factory()
    hops = (proxy.hop("outer"), inner.hop("inner"))
    tunnels = Tunnels(PATIENT)
    for number in range(3):
        with connected(sshd.target(f"web-{number}", via=hops), tunnels) as session:
            assert run(session, "echo deep") == (b"deep\n", 0)
    tunnels.close()
    assert (sshd.logins(), inner.logins(), proxy.logins()) == (3, 1, 1)


def test_many_hosts_at_once_share_one_login_at_the_proxy(sshd: Sshd, proxy: Sshd) -> None:
    tunnels = Tunnels(PATIENT)

    def job(number: int) -> tuple[bytes, int | None]:
        target = sshd.target(f"web-{number}", address=f"127.0.1.{number}", via=(proxy.hop(),))
        with connected(target, tunnels) as session:
            return run(session, f"echo {number}")

    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(job, range(1, 33)))
    tunnels.close()
    assert results == [(f"{number}\n".encode(), 0) for number in range(1, 33)]
    assert (sshd.logins(), proxy.logins()) == (32, 1)


def test_no_more_hosts_than_max_channels_are_open_at_the_proxy(sshd: Sshd, proxy: Sshd) -> None:
    tunnels = Tunnels(PATIENT)
    hop = proxy.hop(max_channels=3)
    most = 0
    counting = threading.Lock()

    def job(number: int) -> None:
        nonlocal most
        target = sshd.target(f"web-{number}", address=f"127.0.1.{number}", via=(hop,))
        with connected(target, tunnels) as session:
            seen = forwarded(proxy, sshd.port)
            with counting:
                most = max(most, seen)
            assert run(session, "echo in") == (b"in\n", 0)

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(job, range(1, 13)))
    tunnels.close()
    assert 1 <= most <= 3


def forwarded(proxy: Sshd, port: int) -> int:
    """Connections that the proxy's sessions have to a port at this moment."""
    count = 0
    for process in psutil.Process(proxy.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            links = process.net_connections(kind="tcp")
            count += sum(
                link.status == "ESTABLISHED" and link.raddr.port == port for link in links if link.raddr
            )
    return count


def test_host_waits_for_a_place_until_the_deadline(sshd: Sshd, proxy: Sshd) -> None:
    deadlines = QUICK.model_copy(update={"place": 0.3})
    tunnels = Tunnels(deadlines)
    hop = proxy.hop(max_channels=1)
    with connected(sshd.target(via=(hop,)), tunnels, deadlines):
        error = failure(sshd.target("web-2", via=(hop,)), tunnels=tunnels, deadlines=deadlines)
        assert error.cause is Cause.PROXY_FORWARD_TIMEOUT
        assert error.stage == "forward"
    with connected(sshd.target("web-2", via=(hop,)), tunnels, deadlines) as session:
        assert run(session, "echo free") == (b"free\n", 0)
    tunnels.close()


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        (silent_server, Cause.PROXY_PROTOCOL),
        (closing_server, Cause.PROXY_PROTOCOL),
        (http_server, Cause.PROXY_PROTOCOL),
    ],
)
def test_proxy_that_is_no_ssh_server(
    trouble: Callable[[], "contextlib.AbstractContextManager[object]"], cause: Cause, sshd: Sshd, proxy: Sshd
) -> None:
    with trouble() as server:
        hop = proxy.hop().model_copy(update={"port": server.port})  # type: ignore[attr-defined]
        error = failure(sshd.target(via=(hop,)))
    assert (error.cause, error.stage) == (cause, "proxy_login")
    assert "proxy bastion" in error.detail


def test_each_way_in_which_a_proxy_fails_names_the_proxy(sshd: Sshd, proxy: Sshd, tmp_path: Path) -> None:
    other_key = stranger(sshd, tmp_path)
    hop = proxy.hop()
    with full_server() as full:
        updates: dict[str, dict[str, object]] = {
            "name": {"address": "no-such-proxy.invalid"},
            "route": {"address": "255.255.255.255"},
            "silent": {"port": full},
            "key": {"credential": other_key},
            "host key": {"host_key": (sshd.host_key,)},
            "no host key": {"host_key": ()},
        }
        found = {
            change: failure(sshd.target(via=(hop.model_copy(update=update),))).cause
            for change, update in updates.items()
        }
    proxy.kill()
    found["down"] = failure(sshd.target(via=(hop,))).cause
    assert found == {
        "name": Cause.PROXY_DNS,
        "route": Cause.PROXY_TCP_UNREACHABLE,
        "silent": Cause.PROXY_TCP_TIMEOUT,
        "key": Cause.PROXY_AUTH,
        "host key": Cause.PROXY_HOST_KEY_CHANGED,
        "no host key": Cause.PROXY_HOST_KEY_UNKNOWN,
        "down": Cause.PROXY_TCP_REFUSED,
    }


def test_each_way_in_which_a_host_fails_behind_a_proxy_names_the_host(sshd: Sshd, proxy: Sshd) -> None:
    hop = proxy.hop()
    target = sshd.target(via=(hop,))
    tunnels = Tunnels(QUICK)
    with silent_server() as silent, full_server() as full:
        updates: dict[str, dict[str, object]] = {
            "name": {"address": "no-such-host.invalid"},
            "silent": {"port": silent.port},
            "full": {"port": full},
            "host key": {"host_key": (proxy.host_key,)},
        }
        errors = {
            change: failure(at(target, **update), tunnels=tunnels) for change, update in updates.items()
        }
    sshd.kill()
    errors["down"] = failure(target, tunnels=tunnels)
    tunnels.close()
    assert {change: error.cause for change, error in errors.items()} == {
        "name": Cause.DNS,
        "silent": Cause.PROTOCOL,
        "full": Cause.TCP_TIMEOUT,
        "host key": Cause.HOST_KEY_CHANGED,
        "down": Cause.TCP_REFUSED,
    }
    assert "as seen from proxy bastion" in errors["down"].detail
    assert proxy.logins() == 1


@pytest.mark.parametrize("options", [{"AllowTcpForwarding": "no"}, {"PermitOpen": "127.0.0.1:1"}])
def test_proxy_that_refuses_to_forward(
    options: dict[str, str], sshd: Sshd, sshd_factory: SshdFactory
) -> None:
    strict = sshd_factory(options=options)
    error = failure(sshd.target(via=(strict.hop(),)))
    assert (error.cause, error.stage) == (Cause.PROXY_FORWARD_REFUSED, "forward")
    assert "prohibited" in error.detail


def test_proxy_that_dies_is_one_cause_for_all_its_hosts_and_one_line_in_the_log(
    sshd: Sshd, proxy: Sshd, caplog: pytest.LogCaptureFixture
) -> None:
    tunnels = Tunnels(PATIENT)
    ready = threading.Barrier(9)

    def job(number: int) -> TransportError:
        target = sshd.target(f"web-{number}", address=f"127.0.1.{number}", via=(proxy.hop(),))
        with (
            connected(target, tunnels) as session,
            contextlib.closing(session.start("echo up; read x")) as follow,
        ):
            assert follow.read(20) == b"up\n"
            ready.wait()
            return loss(follow)

    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(8) as threads:
        jobs = [threads.submit(job, number) for number in range(1, 9)]
        ready.wait()
        proxy.kill()
        errors = [each.result() for each in jobs]
    assert {error.cause for error in errors} == {Cause.PROXY_LOST}
    assert len([record for record in caplog.records if "bastion" in record.getMessage()]) == 1

    proxy.start()
    with connected(sshd.target(via=(proxy.hop(),)), tunnels) as session:
        assert run(session, "echo again") == (b"again\n", 0)
    tunnels.close()
    assert proxy.logins() == 2


def test_host_that_dies_behind_a_living_proxy_is_its_own_loss(sshd: Sshd, proxy: Sshd) -> None:
    with connected(sshd.target(via=(proxy.hop(),))) as session:
        follow = session.start("echo up; read x")
        assert follow.read(20) == b"up\n"
        sshd.kill()
        assert loss(follow).cause is Cause.CONNECTION_LOST
        follow.close()


def test_proxy_that_freezes_is_proxy_lost_in_bounded_time(sshd: Sshd, proxy: Sshd) -> None:
    tunnels = Tunnels(QUICK)
    with connected(sshd.target(via=(proxy.hop(),)), tunnels, QUICK) as session:
        follow = session.start("echo up; read x")
        assert follow.read(20) == b"up\n"
        for process in psutil.Process(proxy.pid).children(recursive=True):
            process.suspend()
        start = time.monotonic()
        with pytest.raises(TransportError) as caught:
            follow.read(30)
        follow.close()
    tunnels.close()
    assert caught.value.cause is Cause.PROXY_LOST
    assert time.monotonic() - start < 12


def test_hosts_that_want_a_dead_proxy_at_once_wait_for_one_attempt(sshd: Sshd, proxy: Sshd) -> None:
    with silent_server() as server:
        hop = proxy.hop().model_copy(update={"port": server.port})
        tunnels = Tunnels(QUICK)
        together = threading.Barrier(8)

        def job(number: int) -> TransportError:
            together.wait()
            target = sshd.target(f"web-{number}", via=(hop,))
            with pytest.raises(TransportError) as caught:
                open_session(target, {}, tunnels=tunnels, deadlines=QUICK)
            return caught.value

        start = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            errors = list(threads.map(job, range(8)))
        took = time.monotonic() - start
        assert {error.cause for error in errors} == {Cause.PROXY_PROTOCOL}
        assert server.accepted <= 2
        assert took < 4


def test_kept_connection_to_the_proxy_is_told_in_its_stage(sshd: Sshd, proxy: Sshd) -> None:
    tunnels = Tunnels(PATIENT)
    with connected(sshd.target(via=(proxy.hop(),)), tunnels):
        timer = StageTimer(time.monotonic)
        session, observed = open_session(
            sshd.target("web-2", via=(proxy.hop(),)), {}, tunnels=tunnels, deadlines=PATIENT, stages=timer
        )
        session.close()
    tunnels.close()
    assert [stage.name for stage in timer.stages] == ["proxy_login", "forward", "banner", "host_key", "login"]
    assert timer.stages[0].note == "kept connection to bastion"
    assert observed == {"bastion": proxy.host_key, "web-2": sshd.host_key}


def test_kept_connection_is_checked_against_the_keys_of_each_who_uses_it(sshd: Sshd, proxy: Sshd) -> None:
    tunnels = Tunnels(PATIENT)
    with connected(sshd.target(via=(proxy.hop(),)), tunnels):
        other = proxy.hop().model_copy(update={"host_key": (sshd.host_key,)})
        unknown = proxy.hop().model_copy(update={"host_key": ()})
        causes = [failure(sshd.target(via=(hop,)), tunnels=tunnels).cause for hop in (other, unknown)]
    tunnels.close()
    assert causes == [Cause.PROXY_HOST_KEY_CHANGED, Cause.PROXY_HOST_KEY_UNKNOWN]
    assert proxy.logins() == 1


def test_proxy_restarted_between_two_hosts_is_opened_again(sshd: Sshd, proxy: Sshd) -> None:
    tunnels = Tunnels(PATIENT)
    for _ in range(2):
        with connected(sshd.target(via=(proxy.hop(),)), tunnels) as session:
            assert run(session, "echo in") == (b"in\n", 0)
        proxy.restart()
    with connected(sshd.target(via=(proxy.hop(),)), tunnels) as session:
        assert output(session.start("echo in; exit")) == b"in\n"
    tunnels.close()
    assert proxy.logins() == 3
