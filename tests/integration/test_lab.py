"""The lab's hosts, as an SSH client sees them."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from ruamel.yaml import YAML

from config.application import Application
from config.fleet import Fleet
from config.routing import resolve_target
from lab.processes import descendants
from tests.support.lab import running_lab
from tests.support.processes import alive, comes_true

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with running_lab(tmp_path_factory.mktemp("lab")) as report:
        yield report


def _fleet(lab: dict[str, Any]) -> Fleet:
    return Fleet.model_validate(YAML(typ="safe").load(Path(lab["fleet"])))


@contextlib.asynccontextmanager
async def _connection(lab: dict[str, Any], name: str) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection to a host the way its fleet file says."""
    fleet = _fleet(lab)
    cluster = next(cluster for cluster in fleet.clusters.values() if name in cluster.hosts)
    host = cluster.hosts[name]
    credential = fleet.credentials[cluster.credential or ""]
    login: dict[str, Any] = {"client_keys": credential.key_file, "password": None}
    if credential.password:
        login = {
            "client_keys": None,
            "password": _self_hosted_environment(lab)[credential.password.env or ""],
        }
    async with contextlib.AsyncExitStack() as stack:
        tunnel = await stack.enter_async_context(_proxy(lab)) if host.proxy else None
        yield await stack.enter_async_context(
            asyncssh.connect(
                host.address,
                host.port or 22,
                username=credential.user,
                tunnel=tunnel,
                known_hosts=_known(host.host_key),
                **login,
            )
        )


@contextlib.asynccontextmanager
async def _proxy(lab: dict[str, Any]) -> AsyncIterator[asyncssh.SSHClientConnection]:
    fleet = _fleet(lab)
    proxy = fleet.proxies["bastion"]
    credential = fleet.credentials[proxy.credential or ""]
    async with asyncssh.connect(
        proxy.address,
        proxy.port or 22,
        username=credential.user,
        client_keys=credential.key_file,
        known_hosts=_known(proxy.host_key),
    ) as connection:
        yield connection


def _known(keys: tuple[str, ...]) -> asyncssh.SSHKnownHosts:
    return asyncssh.import_known_hosts("".join(f"* {key}\n" for key in keys))


def _self_hosted_environment(lab: dict[str, Any]) -> dict[str, str]:
    lines = Path(lab["self_hosted_environment"]).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def _run(lab: dict[str, Any], name: str, command: str, **options: Any) -> asyncssh.SSHCompletedProcess:
    async def run() -> asyncssh.SSHCompletedProcess:
        async with _connection(lab, name) as connection:
            return await connection.run(command, **options)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "name", ["web-1", "web-4", "plant-1"], ids=["direct", "behind the proxy", "self-hosted"]
)
def test_a_host_runs_commands_in_its_own_empty_home(lab: dict[str, Any], name: str) -> None:
    result = _run(lab, name, 'pwd; echo "$HOME $USER $HOSTNAME"; ls -A; echo oops >&2; exit 7')
    home = lab["hosts"][name]["home"]
    assert result.stdout == f"{home}\n{home} deploy {name}\n"
    assert result.stderr == "oops\n"
    assert result.exit_status == 7


def test_bytes_go_through_unchanged_in_both_directions_even_many(lab: dict[str, Any]) -> None:
    """Several times: what waits when the input's end comes is a matter of timing."""
    sent = [os.urandom(3_000_000) for _ in range(6)]

    async def talk() -> list[bool]:
        async with _connection(lab, "web-4") as connection:
            return [(await connection.run("cat", input=data, encoding=None)).stdout == data for data in sent]

    assert all(asyncio.run(talk()))


def test_output_that_nobody_reads_makes_the_command_wait_and_costs_no_memory(lab: dict[str, Any]) -> None:
    async def talk() -> bytes:
        async with _connection(lab, "web-1") as connection:
            process = await connection.create_process("echo $$; exec cat /dev/zero", encoding=None)
            first = await process.stdout.readline()
            process.kill()
            await process.wait_closed()
            return bytes(first)

    pid = int(asyncio.run(talk()))
    assert comes_true(lambda: not alive(pid))
    assert int(Path(f"/proc/{lab['pid']}/statm").read_text().split()[1]) * 4096 < 300_000_000


def test_a_signal_reaches_the_commands_whole_group(lab: dict[str, Any]) -> None:
    async def talk() -> tuple[int, Any]:
        async with _connection(lab, "web-1") as connection:
            process = await connection.create_process("sleep 1000 & echo $!; wait")
            child = int(await process.stdout.readline())
            process.send_signal("TERM")
            await process.wait_closed()
            return child, process.exit_signal

    child, exit_signal = asyncio.run(talk())
    assert exit_signal[0] == "TERM"
    assert comes_true(lambda: not alive(child))


def test_when_the_connection_goes_the_command_stays_and_its_input_ends(lab: dict[str, Any]) -> None:
    note = Path(lab["hosts"]["web-1"]["home"], "note")

    async def talk() -> None:
        async with _connection(lab, "web-1") as connection:
            process = await connection.create_process("echo ready; cat; echo over > note")
            await process.stdout.readline()
            connection.abort()

    asyncio.run(talk())
    try:
        assert comes_true(lambda: note.exists() and note.read_text() == "over\n")
    finally:
        note.unlink(missing_ok=True)


def test_the_proxy_runs_nothing(lab: dict[str, Any]) -> None:
    async def talk() -> None:
        async with _proxy(lab) as connection:
            await connection.run("true")

    with pytest.raises(asyncssh.ChannelOpenError, match="Session refused"):
        asyncio.run(talk())


def test_a_host_forwards_nothing(lab: dict[str, Any]) -> None:
    async def talk() -> None:
        async with _connection(lab, "web-1") as connection:
            await connection.open_connection(lab["proxy"]["address"], lab["proxy"]["port"])

    with pytest.raises(asyncssh.ChannelOpenError):
        asyncio.run(talk())


@pytest.mark.parametrize("name", ["web-4", "web-5"])
def test_a_private_host_refuses_everyone_but_the_proxy(lab: dict[str, Any], name: str) -> None:
    host = lab["hosts"][name]

    async def talk() -> None:
        await asyncssh.connect(host["address"], host["port"], known_hosts=None, client_keys=None)

    with pytest.raises(ConnectionResetError):
        asyncio.run(talk())


def test_a_wrong_key_and_a_wrong_password_are_refused(lab: dict[str, Any], tmp_path: Path) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "key"))

    async def talk(name: str, **login: Any) -> None:
        host = lab["hosts"][name]
        await asyncssh.connect(host["address"], host["port"], known_hosts=None, username="deploy", **login)

    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(talk("web-1", client_keys=str(tmp_path / "key")))
    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(talk("plant-1", client_keys=None, password="guess"))  # noqa: S106 - the wrong one


def test_files_are_what_the_models_expect(lab: dict[str, Any]) -> None:
    fleet = _fleet(lab)
    application = Application.model_validate(YAML(typ="safe").load(Path(lab["application"])))
    assert {pool.kind for pool in fleet.pools.values()} == {"official", "self-hosted"}
    assert len(fleet.clusters["web"].hosts) + len(fleet.clusters["plant"].hosts) == len(lab["hosts"]) == 6
    assert application.rollout.batches == (1, "25%", "100%")
    intranet = Application.model_validate(YAML(typ="safe").load(Path(lab["intranet"])))
    assert [action.kind for action in intranet.actions] == [
        "fetch",
        "unpack",
        "run",
        "link",
        "service",
        "check",
    ]
    assert resolve_target(fleet, "desk-1").route_text == "via winproxy"


def test_the_application_installs_and_runs_on_a_host(lab: dict[str, Any]) -> None:
    command = (
        "set -e; mkdir r; cd r; tar xzf - ; ./install.sh 1.0; bin/shop start; bin/shop restart;"
        " bin/shop status; bin/shop stop; if bin/shop status; then exit 9; fi; cd ..; rm -r r"
    )
    package = Path(lab["application"]).parent.joinpath("packages", "shop-1.0.tar.gz").read_bytes()
    result = _run(lab, "web-2", command, input=package, encoding=None)
    assert (result.stdout, result.stderr) == (
        b"installed shop 1.0\nshop 1.0 is running\n",
        b"shop 1.0 is not running\n",
    )
    assert result.exit_status == 0


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_end_of_the_lab_is_the_end_of_all_that_it_started(tmp_path: Path, ending: signal.Signals) -> None:
    daemon = (
        "env -i setsid sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1000; done' > /dev/null 2>&1 &"
    )
    with running_lab(tmp_path) as lab:
        pid_file = Path(lab["hosts"]["web-1"]["home"], "pid")
        _run(lab, "web-1", daemon)
        assert comes_true(lambda: pid_file.exists() and pid_file.read_text().strip() != "")
        started = descendants(lab["pid"])
        assert int(pid_file.read_text()) in started
        os.kill(lab["pid"], ending)
    assert [pid for pid in started if alive(pid)] == []


def test_a_second_lab_on_a_directory_starts_afresh_and_leaves_strangers_files(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with running_lab(tmp_path) as lab:
        _run(lab, "web-1", "echo old > old")
    with running_lab(tmp_path) as lab:
        assert _run(lab, "web-1", "ls").stdout == ""
    assert (tmp_path / "mine").read_text() == "mine"
