"""What the lab's fleet looks like, and the files that tell Longshore about it."""

import secrets
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.desk import APPLICATION, Desk, make_intranet
from lab.desk import PASSWORD_VARIABLE as DESK_PASSWORD_VARIABLE
from lab.keys import make_key
from lab.package import NAME, Package
from lab.ssh_hosts import SYSTEM_PATH, StandInHost
from lab.yaml_file import write_yaml

SMALLEST_FLEET: Final = 6
USER: Final = "deploy"
PROXY_USER: Final = "jump"
SELF_HOSTED_POOL: Final = "frankfurt"
PASSWORD_VARIABLE: Final = "FRANKFURT_PASSWORD"  # noqa: S105 - the variable's name

_PROXY_PUBLIC: Final = "127.10.0.250"
_PROXY_PRIVATE: Final = "127.20.0.250"
_WORKERS: Final = "127.0.0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class LabFleet:
    """The stand-in hosts of one lab.

    Loopback has no segments, so a private host tells callers apart by their address: it takes
    connections from the proxy alone. The self-hosted pool's worker has the same address as everyone's,
    so what sets it apart is what it knows: the password of its hosts is in its environment alone.

    Attributes:
        directory: everything that the lab writes lies below it.
        proxy: forwards to private hosts.
        direct: hosts of the official pool with a public address.
        private: hosts of the official pool behind the proxy.
        plant: hosts of the self-hosted pool.
        host_keys: public host keys, by name.
    """

    directory: Path
    proxy: StandInHost
    direct: tuple[StandInHost, ...]
    private: tuple[StandInHost, ...]
    plant: tuple[StandInHost, ...]
    host_keys: dict[str, str]

    @property
    def hosts(self) -> tuple[StandInHost, ...]:
        """All of them, the proxy first."""
        return (self.proxy, *self.direct, *self.private, *self.plant)

    @property
    def fleet_file(self) -> Path:
        """The fleet file."""
        return self.directory / "fleet.yaml"

    @property
    def application_file(self) -> Path:
        """The application file."""
        return self.directory / f"{NAME}.yaml"

    @property
    def intranet_file(self) -> Path:
        """The file of the application for Windows hosts."""
        return self.directory / f"{APPLICATION}.yaml"

    @property
    def official_environment(self) -> Path:
        """What the official pool's worker alone has in its environment, as ``NAME=value`` lines."""
        return self.directory / "pools" / "official.env"

    @property
    def self_hosted_environment(self) -> Path:
        """What the self-hosted pool's worker alone has in its environment, as ``NAME=value`` lines."""
        return self.directory / "pools" / f"{SELF_HOSTED_POOL}.env"


def make_fleet(directory: Path, count: int) -> LabFleet:
    """Make ``count`` hosts and a proxy, with their homes, their host keys and the keys to them.

    Raises:
        ValueError: ``count`` is too small to show every route.
    """
    if count < SMALLEST_FLEET:
        raise ValueError(f"a lab needs at least {SMALLEST_FLEET} hosts to show every route, not {count}")
    password = secrets.token_urlsafe(24)
    maker = _Maker(directory)
    official = make_key(directory / "keys" / "official")
    jump = make_key(directory / "keys" / "jump")
    plants, privates = count // 4, count // 3
    directs = count - plants - privates
    fleet = LabFleet(
        directory=directory,
        proxy=maker.host("bastion", _PROXY_PUBLIC, jump, user=PROXY_USER, forwards_from=_PROXY_PRIVATE),
        direct=tuple(maker.host(f"web-{n}", _address(10, n), official) for n in range(1, directs + 1)),
        private=tuple(
            maker.host(f"web-{n}", _address(20, n), official, peers=frozenset({_PROXY_PRIVATE}))
            for n in range(directs + 1, directs + privates + 1)
        ),
        plant=tuple(
            maker.host(f"plant-{n}", _address(30, n), password=password, peers=frozenset({_WORKERS}))
            for n in range(1, plants + 1)
        ),
        host_keys=maker.host_keys,
    )
    _write_private(fleet.self_hosted_environment, f"{PASSWORD_VARIABLE}={password}\n")
    return fleet


def write_files(
    fleet: LabFleet, ports: Mapping[str, int], package: Package, package_url: str, desk: Desk
) -> None:
    """Write the fleet file, the application files, and what the official pool's worker knows.

    Args:
        fleet: the hosts.
        ports: where each of them listens, by name.
        package: the release that the application deploys unless told otherwise.
        package_url: address of the package server.
        desk: the Windows hosts.
    """
    document = _fleet_document(fleet, ports)
    write_yaml(fleet.fleet_file, document | {key: document[key] | more for key, more in desk.fleet.items()})
    write_yaml(fleet.intranet_file, make_intranet(fleet.directory / "packages", package_url))
    _write_private(fleet.official_environment, f"{DESK_PASSWORD_VARIABLE}={desk.password}\n")
    write_yaml(fleet.application_file, _application_document(package, package_url))


class _Maker:
    """Makes hosts below one directory, and collects their public keys."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._search_path = search_path(directory / "tools")
        self.host_keys: dict[str, str] = {}

    def host(
        self,
        name: str,
        address: str,
        authorized_key: str | None = None,
        *,
        password: str | None = None,
        user: str = USER,
        peers: frozenset[str] = frozenset(),
        forwards_from: str | None = None,
    ) -> StandInHost:
        home = self._directory / "hosts" / name
        home.mkdir(mode=0o700, parents=True)
        host_key = self._directory / "host-keys" / name
        self.host_keys[name] = make_key(host_key)
        return StandInHost(
            name=name,
            address=address,
            home=home,
            host_key=host_key,
            user=user,
            authorized_key=authorized_key,
            password=password,
            peers=peers,
            forwards_from=forwards_from,
            search_path=self._search_path,
        )


def search_path(tools: Path, system: str = SYSTEM_PATH) -> str:
    """The ``PATH`` of hosts; where ``system`` has nothing to pull packages with, ``tools`` has a wget."""
    if shutil.which("curl", path=system) or shutil.which("wget", path=system):
        return system
    tools.mkdir(mode=0o700, parents=True)
    wget = tools / "wget"
    script = Path(__file__).parent / "wget.py"
    wget.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(script))} "$@"\n')
    wget.chmod(0o700)
    return f"{tools}:{system}"


def _address(network: int, number: int) -> str:
    high, low = divmod(number, 240)
    return f"127.{network}.{high}.{low + 1}"


def _fleet_document(fleet: LabFleet, ports: Mapping[str, int]) -> dict[str, Any]:
    def entry(host: StandInHost, **more: str) -> dict[str, Any]:
        return {
            "address": host.address,
            "port": ports[host.name],
            "host_key": [fleet.host_keys[host.name]],
            **more,
        }

    keys = fleet.directory / "keys"
    return {
        "pools": {"official": {"kind": "official"}, SELF_HOSTED_POOL: {"kind": "self-hosted"}},
        "credentials": {
            "official": {"user": USER, "key_file": str(keys / "official")},
            "jump": {"user": PROXY_USER, "key_file": str(keys / "jump")},
            SELF_HOSTED_POOL: {"user": USER, "password": {"env": PASSWORD_VARIABLE}},
        },
        "proxies": {"bastion": {"os": "linux", **entry(fleet.proxy), "credential": "jump"}},
        "clusters": {
            "web": {
                "os": "linux",
                "pool": "official",
                "credential": "official",
                "hosts": {
                    **{host.name: entry(host) for host in fleet.direct},
                    **{host.name: entry(host, proxy="bastion") for host in fleet.private},
                },
            },
            "plant": {
                "os": "linux",
                "pool": SELF_HOSTED_POOL,
                "credential": SELF_HOSTED_POOL,
                "hosts": {host.name: entry(host) for host in fleet.plant},
            },
        },
    }


def _application_document(package: Package, package_url: str) -> dict[str, Any]:
    archive = "shop/packages/shop-{{ version }}.tar.gz"
    release = "shop/releases/{{ version }}"
    return {
        "application": NAME,
        "parameters": {"version": {"default": package.version}, "checksum": {"default": package.sha256}},
        "actions": [
            {
                "fetch": {
                    "url": package_url + "/shop-{{ version }}.tar.gz",
                    "sha256": "{{ checksum }}",
                    "to": archive,
                }
            },
            {"unpack": {"archive": archive, "to": release}},
            {"run": './install.sh "$version"', "name": "install", "in": release, "timeout": "1m"},
            # A link's target is text to the host: it counts from where the link is.
            {"link": {"from": "shop/current", "to": "releases/{{ version }}"}},
            {"service": {"name": NAME, "state": "restarted", "command": "shop/current/bin/shop"}},
            {"check": {"command": "shop/current/bin/shop status", "within": "10s"}},
        ],
        "rollout": {"batches": [1, "25%", "100%"], "max_failed": 0},
    }


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
