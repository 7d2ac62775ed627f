"""A port forward as a Windows proxy makes it, on a port of loopback."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

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


@contextlib.contextmanager
def relay_to(address: str, port: int) -> Iterator[Relay]:
    """A relay for the time of the block."""
    listening = free_port()
    with PortProxy("127.0.0.1", {listening: (address, port)}) as proxy:
        yield Relay(proxy, listening)
