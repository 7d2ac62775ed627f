"""A cluster of stand-in Windows hosts behind the lab's WinRM, as a fleet sees it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.windows.machine import WindowsMachine
from lab.winrm.certificates import Certificate, CertificateAuthority
from lab.winrm.host import WinrmHost
from lab.winrm.server import WinrmServer
from tests.support.ledgers import WINDOWS_LEDGER
from tests.support.windows_host import PASSWORD, USER

PASSWORD_VARIABLE = "WINRM_PASSWORD"  # noqa: S105 - its name


@dataclass
class Desk:
    """The hosts.

    Attributes:
        hosts: by name.
        server: HTTPS in front of them, one address each.
    """

    hosts: dict[str, WinrmHost]
    addresses: dict[str, str]
    server: WinrmServer
    authority: CertificateAuthority

    def fleet(self, count: int | None = None, **cluster: Any) -> dict[str, Any]:
        """A fleet of one cluster, ``desk``, with the first ``count`` of them, or all."""
        return {
            "pools": {"official": {"kind": "official"}},
            "credentials": {"admin": {"user": USER, "password": {"env": PASSWORD_VARIABLE}}},
            "clusters": {
                "desk": {
                    "os": "windows",
                    "pool": "official",
                    "credential": "admin",
                    "port": self.server.port,
                    "winrm": {"ca_file": str(self.authority.path)},
                    "hosts": dict(list(self.addresses.items())[:count]),
                    **cluster,
                }
            },
        }

    def ledger(self, name: str) -> list[str]:
        """What a host's steps have written, a line each."""
        place = self.hosts[name].machine.place(WINDOWS_LEDGER)
        return place.read_text().splitlines() if place.exists() else []

    def certificate(self, name: str, **options: Any) -> Certificate:
        """A certificate for a host, or for another than it is."""
        return self.authority.issue(name, **options)


@contextmanager
def running_desk(folder: Path, count: int) -> Iterator[Desk]:
    """``count`` hosts on loopback addresses of their own."""
    authority = CertificateAuthority(folder / "authority")
    addresses = {f"desk-{number}": f"127.40.0.{number}" for number in range(1, count + 1)}
    hosts = {}
    for name, address in addresses.items():
        machine = WindowsMachine(name, folder / name, passwords={USER: PASSWORD})
        hosts[name] = WinrmHost(machine, certificate=authority.issue(name, names=(address,)))
    with ExitStack() as stack:
        served = {addresses[name]: host for name, host in hosts.items()}
        server = stack.enter_context(WinrmServer(served, tls=True))
        yield Desk(hosts, addresses, server, authority)
