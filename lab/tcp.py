"""TCP sockets as the kernel lists them; nothing is sent to find out."""

import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LISTENING: Final = "0A"
_LEAST_PORT: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class TcpSocket:
    """One end of a connection, or a listener.

    Attributes:
        address: its IPv4 address on this side.
        port: its port on this side.
        listening: whether it waits for connections.
        inode: the kernel's number for it.
    """

    address: str
    port: int
    listening: bool
    inode: str


def sockets_around(pid: int) -> Iterator[TcpSocket]:
    """All IPv4 sockets in the network of process ``pid``; none when it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            yield TcpSocket(
                # Four bytes as the network has them, printed as one number of this machine.
                address=socket.inet_ntoa(int(address, 16).to_bytes(4, sys.byteorder)),
                port=int(port, 16),
                listening=fields[3] == _LISTENING,
                inode=fields[9],
            )


def sockets_of(pid: int) -> list[TcpSocket]:
    """The IPv4 sockets that process ``pid`` itself holds; none where it can't be looked into."""
    held = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                held.add(str(Path(entry.path).readlink()))
    return [each for each in sockets_around(pid) if f"socket:[{each.inode}]" in held]


def listens(pid: int, port: int) -> bool:
    """Whether anyone listens on TCP ``port`` in the network of process ``pid``."""
    return any(each.listening and each.port == port for each in sockets_around(pid))


def free_port() -> int:
    """A TCP port that nobody has at this moment, and that the kernel gives to no outgoing connection."""
    given_from = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = secrets.choice(range(_LEAST_PORT, given_from)) if given_from > _LEAST_PORT else 0
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))  # at all addresses, as servers may; it never listens
            return int(probe.getsockname()[1])
