"""A port forward as a Windows proxy makes it, on a port of loopback."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.tcp import free_port
from lab.windows.portproxy import PortProxy


@dataclass
class Relay:
    """One forwarded port.

    Attributes:
        port: where it listens.
    """

    proxy: PortProxy
    port: int

    def forward_to(self, address: str, port: int) -> None:
        """Forward new connections there from now on."""
        self.proxy.targets[self.port] = (address, port)

    def cut(self) -> None:
        """End it, with all connections that go through it."""
        self.proxy.cut()


def forwarded(fleet: dict[str, Any], proxy: PortProxy) -> dict[str, Any]:
    """The same fleet with every host behind a Windows proxy, ``winproxy``, whose forwards these are."""
    ports = {target: port for port, target in proxy.targets.items()}
    winproxy = {"os": "windows", "address": proxy.address, "ports": "1024-65535"}
    clusters = {name: _forwarded(cluster, ports) for name, cluster in fleet["clusters"].items()}
    return {**fleet, "proxies": {"winproxy": winproxy}, "clusters": clusters}


def _forwarded(cluster: dict[str, Any], ports: dict[tuple[str, int], int]) -> dict[str, Any]:
    hosts = {}
    for name, entry in cluster["hosts"].items():
        host = entry if isinstance(entry, dict) else {"address": entry}
        hosts[name] = {**host, "forward_port": ports[host["address"], cluster["port"]]}
    return {**cluster, "proxy": "winproxy", "hosts": hosts}


@contextlib.contextmanager
def relay_to(address: str, port: int) -> Iterator[Relay]:
    """A relay for the time of the block."""
    listening = free_port()
    with PortProxy("127.0.0.1", {listening: (address, port)}) as proxy:
        yield Relay(proxy, listening)
