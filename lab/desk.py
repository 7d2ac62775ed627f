"""The demo's Windows hosts: stand-ins behind a proxy that forwards a port to each, and what is deployed."""

import hashlib
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.tcp import free_port
from lab.windows.machine import Service, WindowsMachine
from lab.windows.portproxy import PortProxy
from lab.winrm.certificates import CertificateAuthority
from lab.winrm.host import WinrmHost
from lab.winrm.server import WinrmServer

CLUSTER: Final = "desk"
APPLICATION: Final = "intranet"
PASSWORD_VARIABLE: Final = "DESK_PASSWORD"  # noqa: S105 - the variable's name
PROXY_ADDRESS: Final = "127.41.0.250"
VERSION: Final = "1.0"

_USER: Final = "deploy"
_ADDRESSES: Final = {"desk-1": "127.41.0.1", "desk-2": "127.41.0.2"}


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What Longshore is told of the hosts.

    Attributes:
        password: of their login.
        fleet: what a fleet file says of them, by section.
        drives: the folders that play their drives C:, by name.
    """

    password: str
    fleet: dict[str, dict[str, Any]]
    drives: dict[str, Path]


@contextmanager
def running_desk(directory: Path) -> Iterator[Desk]:
    """Two hosts, and the proxy in front of them.

    Args:
        directory: for their drives and certificates.
    """
    password = secrets.token_urlsafe(24)
    authority = CertificateAuthority(directory / "certificates")
    hosts = {}
    for name, address in _ADDRESSES.items():
        machine = WindowsMachine(name, directory / name, passwords={_USER: password})
        machine.services[APPLICATION] = Service()
        hosts[address] = WinrmHost(machine, certificate=authority.issue(name, names=(address,)))
    with WinrmServer(hosts, tls=True) as server:
        ports = {free_port(): (address, server.port) for address in hosts}
        with PortProxy(PROXY_ADDRESS, ports):
            yield Desk(
                password=password,
                fleet=_sections(server.port, list(ports), str(authority.path)),
                drives={host.machine.name: host.machine.drive for host in hosts.values()},
            )


def _sections(port: int, forward_ports: list[int], ca_file: str) -> dict[str, dict[str, Any]]:
    low, high = min(forward_ports), max(forward_ports)
    hosts = {
        name: {"address": address, "forward_port": forward}
        for (name, address), forward in zip(_ADDRESSES.items(), forward_ports, strict=True)
    }
    return {
        "credentials": {CLUSTER: {"user": _USER, "password": {"env": PASSWORD_VARIABLE}}},
        "proxies": {"winproxy": {"os": "windows", "address": PROXY_ADDRESS, "ports": f"{low}-{high}"}},
        "clusters": {
            CLUSTER: {
                "os": "windows",
                "pool": "official",
                "credential": CLUSTER,
                "proxy": "winproxy",
                "port": port,
                "winrm": {"ca_file": ca_file},
                "hosts": hosts,
            }
        },
    }


def make_intranet(packages: Path, package_url: str) -> dict[str, Any]:
    """Put the application's package among ``packages``, and describe the application."""
    archive = packages / f"{APPLICATION}-{VERSION}.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("VERSION", f"{VERSION}\n")
        packed.writestr("install.cmd", "echo installing %version% on %LONGSHORE_HOST%\n")
    local, release = f"C:\\{APPLICATION}\\{archive.name}", f"C:\\{APPLICATION}\\releases\\{{{{ version }}}}"
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    return {
        "application": APPLICATION,
        "parameters": {"version": {"default": VERSION}},
        "actions": [
            {"fetch": {"url": f"{package_url}/{archive.name}", "sha256": checksum, "to": local}},
            {"unpack": {"archive": local, "to": release}},
            {"run": "call install.cmd", "shell": "cmd", "name": "install", "in": release, "timeout": "1m"},
            {"link": {"from": f"C:\\{APPLICATION}\\current", "to": release}},
            {"service": {"name": APPLICATION, "state": "restarted"}},
            {
                "check": {"command": f"type C:\\{APPLICATION}\\current\\VERSION", "within": "10s"},
                "shell": "cmd",
            },
        ],
        "rollout": {"batches": [1, "100%"]},
    }
