"""WinRM over each route: directly, through a Linux proxy's SSH, and to a forwarded port."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.causes import Cause
from config.targets import HostTarget, PortForward
from lab.sshd import Sshd
from lab.tcp import free_port
from tests.support.relay import relay_to
from tests.support.scripted_winrm import Fault, Output, Service, scripted
from tests.support.ssh import PATIENT, connected, failure, loss, run
from workers.connections import Connections
from workers.routes import Tunnels
from workers.transports.stages import StageTimer

ELSEWHERE = "192.0.2.1"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("WINRM_PASSWORD", "anything")
    with scripted() as running:
        yield running


def behind(service: Service, proxy: Sshd, **changes: object) -> HostTarget:
    return service.target().model_copy(update={"hops": (proxy.hop(),), "route": "jump", **changes})


def forwarded(service: Service, port: int, **changes: object) -> HostTarget:
    forward = PortForward(name="winproxy", address="127.0.0.1", port=port)
    changes = {"address": ELSEWHERE, "forward": forward, "route": "forward", **changes}
    return service.target().model_copy(update=changes)


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def pumps() -> int:
    return sum(thread.name.startswith("pump-") for thread in threading.enumerate())


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_host_is_reached_through_a_linux_proxy(service: Service, sshd: Sshd) -> None:
    content = os.urandom(1_000_000)
    service.then("Receive", Output(content, exit_code=4))
    with connected(behind(service, sshd)) as session:
        assert session.observed_keys.keys() == {sshd.hop().name}
        assert run(session, "x", content) == (content, 4)
    assert bytes(service.input) == content


def test_nothing_is_left_of_hosts_that_were_reached_through_a_proxy(service: Service, sshd: Sshd) -> None:
    tunnels = Tunnels(PATIENT)
    with connected(behind(service, sshd), tunnels):
        pass
    assert eventually(lambda: pumps() == 0)
    before = open_files()
    for number in range(20):
        if number % 2:
            service.then("Create", Fault(5))
            assert failure(behind(service, sshd), tunnels=tunnels).cause is Cause.AUTH
        else:
            with connected(behind(service, sshd), tunnels) as session:
                session.start("x")
    assert eventually(lambda: pumps() == 0)
    assert eventually(lambda: open_files() <= before)
    tunnels.close()


def test_place_on_the_proxy_is_given_back(service: Service, sshd: Sshd) -> None:
    hop = sshd.hop().model_copy(update={"max_channels": 1})
    connections = Connections(idle=60)
    for _ in range(3):
        with connections.session(behind(service, sshd, hops=(hop,)), {}) as session:
            assert run(session, "x") == (b"", 0)
    connections.close()
    assert sshd.logins() == 1


def test_proxy_that_goes_in_the_middle_is_to_blame(service: Service, sshd: Sshd) -> None:
    service.then("Receive", *[Output()] * 1)
    with connected(behind(service, sshd)) as session:
        follow = session.start("x")
        sshd.kill()
        error = loss(follow)
    assert (error.cause, error.proxy) == (Cause.PROXY_LOST, sshd.hop().name)


def test_host_that_is_down_behind_a_proxy_is_told_as_the_proxy_sees_it(service: Service, sshd: Sshd) -> None:
    error = failure(behind(service, sshd, port=free_port()))
    assert (error.cause, error.stage) == (Cause.TCP_REFUSED, "forward")
    assert "as seen from proxy" in error.detail


def test_host_is_reached_through_a_forwarded_port(service: Service) -> None:
    with relay_to("127.0.0.1", service.port) as relay, connected(forwarded(service, relay.port)) as session:
        assert run(session, "x") == (b"", 0)


def test_host_is_reached_through_a_forwarded_port_behind_a_linux_proxy(service: Service, sshd: Sshd) -> None:
    with relay_to("127.0.0.1", service.port) as relay:
        target = forwarded(service, relay.port, hops=(sshd.hop(),))
        with connected(target) as session:
            assert run(session, "x") == (b"", 0)
        relay.forward_to("127.0.0.1", free_port())
        error = failure(target)
    assert (error.cause, error.proxy) == (Cause.PROXY_FORWARD_REFUSED, "winproxy")
    port = free_port()
    error = failure(forwarded(service, port, hops=(sshd.hop(),)))
    assert (error.cause, error.proxy) == (Cause.PROXY_TCP_REFUSED, "winproxy")
    assert f"proxy winproxy (127.0.0.1 port {port}): connection refused, as seen from proxy" in error.detail


def test_relay_that_goes_in_the_middle_is_a_lost_connection_that_names_it(service: Service) -> None:
    with relay_to("127.0.0.1", service.port) as relay, connected(forwarded(service, relay.port)) as session:
        follow = session.start("x")
        relay.cut()
        error = loss(follow)
    assert error.cause is Cause.CONNECTION_LOST
    assert f"({ELSEWHERE} port {service.port} through proxy winproxy port {relay.port})" in error.detail


def test_stages_are_timed(service: Service, sshd: Sshd) -> None:
    connections = Connections(idle=0)
    names = []
    with contextlib.closing(connections), relay_to("127.0.0.1", service.port) as relay:
        for target in (service.target(), behind(service, sshd), forwarded(service, relay.port)):
            timer = StageTimer(time.monotonic)
            with connections.session(target, {}, stages=timer):
                names.append([stage.name for stage in timer.stages])
    assert names == [
        ["dns", "tcp", "login"],
        ["dns", "tcp", "proxy_login", "forward", "login"],
        ["dns", "tcp", "login"],
    ]
