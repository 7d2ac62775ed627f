"""The topology itself: what reaches what, and that nothing of it stays."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from config.fleet import Fleet
from lab import namespaces
from lab.network_fleet import write_fleet
from lab.network_plan import GATEWAY, OFFICIAL, PACKAGES, PROXY, REDIS, SELF_HOSTED, WINDOWS_PROXY
from lab.networks import Topology
from tests.support.processes import alive, comes_true
from tests.support.topology import running_topology
from workers.embedded_redis import find_server

pytestmark = pytest.mark.topology
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1.5).close()
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""
PULL = """
import hashlib, sys, urllib.request
print(hashlib.sha256(urllib.request.urlopen(sys.argv[1], timeout=10).read()).hexdigest())
"""


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with running_topology() as built:
        yield built


def _connect(topology: Topology, node: str, address: str, port: int = 22) -> str:
    return topology.run(node, [sys.executable, "-c", CONNECT, address, str(port)]).stdout.strip()


def _ssh(topology: Topology, node: str, address: str, command: str, *, via: str | None = None) -> str:
    login = f"-i {topology.key_file} -o BatchMode=yes -o ConnectTimeout=5 -F none"
    keys = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    jump = [f"-oProxyCommand=ssh {login} {keys} -W %h:%p {topology.user}@{via}"] if via else []
    done = topology.run(
        node, ["ssh", *login.split(), *keys.split(), *jump, f"{topology.user}@{address}", command]
    )
    return done.stdout + done.stderr


def test_official_workers_reach_public_hosts(topology: Topology) -> None:
    for name in topology.plan.direct:
        assert _ssh(topology, OFFICIAL, topology.plan.nodes[name].address, "echo reached") == "reached\n"


@pytest.mark.parametrize("kind", ["private", "inside"])
def test_official_workers_meet_silence_at_private_hosts(topology: Topology, kind: str) -> None:
    name = getattr(topology.plan, kind)[0]
    assert _connect(topology, OFFICIAL, topology.plan.nodes[name].address) == "TimeoutError"


def test_official_workers_reach_private_hosts_through_the_proxy(topology: Topology) -> None:
    address = topology.plan.nodes[topology.plan.private[0]].address
    proxy = topology.plan.nodes[PROXY]
    seen = _ssh(topology, OFFICIAL, address, 'echo "$SSH_CONNECTION"', via=proxy.address)
    assert seen.split()[0] == proxy.legs["private"]


def test_self_hosted_workers_reach_private_hosts_directly(topology: Topology) -> None:
    address = topology.plan.nodes[topology.plan.inside[0]].address
    seen = _ssh(topology, SELF_HOSTED, address, 'echo "$SSH_CONNECTION"')
    assert seen.split()[0] == topology.plan.nodes[SELF_HOSTED].address


def test_a_private_host_pulls_through_the_gateway_whose_address_the_package_server_sees(
    topology: Topology,
) -> None:
    host = topology.plan.private[1]
    path = f"/shop-1.0.tar.gz?{host}"
    pulled = topology.run(host, [sys.executable, "-c", PULL, f"{topology.package_url}{path}"])
    assert topology.package
    assert pulled.stdout.strip() == topology.package.sha256
    clients = [access.client for access in topology.package_log.read() if access.path == path]
    assert clients == [topology.plan.nodes[GATEWAY].legs["public"]]


def test_redis_is_reached_from_both_segments(topology: Topology) -> None:
    address = topology.plan.nodes[REDIS].address
    assert [_connect(topology, node, address, 6379) for node in (OFFICIAL, SELF_HOSTED)] == ["connected"] * 2


def test_nobody_in_public_reaches_the_self_hosted_worker(topology: Topology) -> None:
    with topology.popen(
        SELF_HOSTED,
        [sys.executable, "-m", "http.server", "8000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        namespaces.wait_for_listener(server, 8000, "the listener inside")
        address = topology.plan.nodes[SELF_HOSTED].address
        assert _connect(topology, topology.plan.inside[0], address, 8000) == "connected"
        assert _connect(topology, OFFICIAL, address, 8000) == "TimeoutError"
        server.terminate()


@pytest.mark.parametrize(("name", "port"), [(PROXY, 22), (WINDOWS_PROXY, 5986)])
def test_a_proxy_passes_no_packets_on(topology: Topology, name: str, port: int) -> None:
    assert topology.run(name, ["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout == "0\n"
    proxy, plan = topology.plan.nodes[name], topology.plan
    host = plan.nodes[(plan.private if name == PROXY else plan.desk_private)[0]]
    route = ["ip", "route", "add", f"{host.address}/32", "via", proxy.address]
    assert topology.run(PACKAGES, route).returncode == 0
    assert _connect(topology, PACKAGES, host.address, port) == "TimeoutError"


def test_the_proxy_runs_no_command(topology: Topology) -> None:
    said = _ssh(topology, OFFICIAL, topology.plan.nodes[PROXY].address, "echo ran")
    assert "ran" not in said.split()


def test_each_host_has_an_empty_home_of_its_own(topology: Topology) -> None:
    one, two = (topology.plan.nodes[name].address for name in topology.plan.direct)
    assert (
        _ssh(topology, OFFICIAL, one, "pwd; ls -A; echo one > mark; id -un")
        == f"{topology.home}\n{topology.user}\n"
    )
    assert _ssh(topology, OFFICIAL, two, "ls -A") == ""
    assert (topology.sshd[topology.plan.direct[0]].home / "mark").read_text() == "one\n"


def test_the_fleet_file_is_what_the_model_expects(topology: Topology, tmp_path: Path) -> None:
    write_fleet(topology, tmp_path / "fleet.yaml")
    fleet = Fleet.model_validate(YAML(typ="safe").load(tmp_path / "fleet.yaml"))
    linux = {"direct", "private", "inside", "stranded", "web-forward"}
    windows = {"desk-direct", "desk-jump", "desk-forward", "desk-http", "desk-inside", "desk-stranded"}
    assert set(fleet.clusters) == linux | windows
    for name in (PROXY, WINDOWS_PROXY):
        assert fleet.proxies[name].address == topology.plan.nodes[name].legs["public"]


def _traces(prefix: str) -> list[str]:
    """Whatever of an instance is still on this machine."""
    found = list(namespaces.names(prefix))
    found += [line for line in Path("/etc/passwd").read_text().splitlines() if line.startswith(prefix)]
    found += [str(path) for path in namespaces.STATE.glob(f"{prefix}*")]
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if prefix in line]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if prefix.encode() in process.read_bytes():
                found.append(str(process))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


DAEMON = (
    "env -i setsid sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1000; done' > /dev/null 2>&1 &"
)


def test_nothing_is_left_after_the_end_not_even_a_daemon_that_a_host_started() -> None:
    with running_topology() as topology:
        name = topology.plan.direct[0]
        _ssh(topology, OFFICIAL, topology.plan.nodes[name].address, DAEMON)
        pid_file = topology.sshd[name].home / "pid"
        assert comes_true(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
        daemon = int(pid_file.read_text())
        assert alive(daemon)
        assert _traces(topology.prefix)
    assert comes_true(lambda: not alive(daemon))
    assert _traces(topology.prefix) == []


def test_nothing_is_left_when_building_it_fails() -> None:
    with running_topology(windows=False):
        pass
    broken = Topology(redis_program="/nonexistent")
    with pytest.raises(namespaces.NamespaceError), broken:
        pass
    assert broken.prefix
    assert _traces(broken.prefix) == []


def test_what_a_killed_maker_left_is_cleaned_by_the_next() -> None:
    with running_topology(windows=False) as living:
        maker = (
            "import sys, time; from lab.networks import Topology\n"
            f"with Topology(redis_program={find_server()!r}) as built:\n"
            "    print(built.prefix, flush=True); time.sleep(1000)"
        )
        with subprocess.Popen([sys.executable, "-c", maker], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            prefix = process.stdout.readline().strip()
            os.kill(process.pid, signal.SIGKILL)
        assert _traces(prefix)
        assert namespaces.clean_abandoned() == [prefix]
        assert _traces(prefix) == []
        assert _traces(living.prefix)
