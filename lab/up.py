"""A whole lab in one process: hosts, proxy and package server, until it is told to end."""

import asyncio
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.desk import running_desk
from lab.fleet import LabFleet, make_fleet, write_files
from lab.package import Package, make_package
from lab.package_server import PackageServer
from lab.processes import ProcessTable
from lab.ssh_hosts import SshHosts

VERSIONS = ("1.0", "1.1")
_OWN = (
    *("fleet.yaml", "shop.yaml", "intranet.yaml", "access.log"),
    *("keys", "host-keys", "hosts", "desk"),
    *("packages", "pools", "tools"),
)


async def up(directory: Path, count: int, ready: Callable[[str], None]) -> None:
    """Run a lab until SIGTERM or SIGINT; leaves no process behind.

    Args:
        directory: absolute path for all that it writes; what an earlier lab left there is replaced.
        count: how many hosts, the proxy not counted.
        ready: called with one line of JSON when everything answers.

    Raises:
        ValueError: ``count`` is too small.
    """
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    processes = ProcessTable()
    processes.open()
    _clear(directory)
    fleet = make_fleet(directory, count)
    packages = [make_package(directory / "packages", version) for version in VERSIONS]
    hosts = SshHosts(processes)
    try:
        with (
            PackageServer(directory / "packages", log=directory / "access.log") as server,
            running_desk(directory / "desk") as desk,
        ):
            ports = await hosts.start(fleet.hosts)
            write_files(fleet, ports, packages[0], server.url, desk)
            ready(json.dumps(_report(fleet, ports, packages, server.url)))
            await ended.wait()
    finally:
        await hosts.stop()
        processes.end_all()


def _report(fleet: LabFleet, ports: dict[str, int], packages: list[Package], url: str) -> dict[str, Any]:
    return {
        "fleet": str(fleet.fleet_file),
        "application": str(fleet.application_file),
        "intranet": str(fleet.intranet_file),
        "official_environment": str(fleet.official_environment),
        "self_hosted_environment": str(fleet.self_hosted_environment),
        "package_server": url,
        "packages": {package.version: package.sha256 for package in packages},
        "proxy": {"address": fleet.proxy.address, "port": ports[fleet.proxy.name]},
        "hosts": {
            host.name: {"address": host.address, "port": ports[host.name], "home": str(host.home)}
            for host in fleet.hosts
            if host is not fleet.proxy
        },
    }


def _clear(directory: Path) -> None:
    """Remove what an earlier lab wrote, and nothing else: the directory may be anybody's."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in _OWN:
        path = directory / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (directory / "packages").mkdir()
