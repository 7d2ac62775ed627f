"""Longshore's own way to the hosts of a storm."""

import contextlib
from collections.abc import Iterator

from bench.storm import COMMAND, Reach
from config.targets import ProxyHop
from lab.sshd import Sshd
from workers.routes import Tunnels, open_session
from workers.transports.base import Deadlines
from workers.transports.ssh import SshFollow


class _Upload:
    def __init__(self, follow: SshFollow) -> None:
        self._follow = follow

    def first_line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            line += self._follow.read(30) or b"\n"
        return line

    def send(self, data: bytes) -> None:
        self._follow.write(data, 30)

    def finish(self) -> bytes:
        self._follow.end_input()
        rest = b""
        while data := self._follow.read(30):
            rest += data
        return rest


def longshore(tunnels: Tunnels, hop: ProxyHop) -> Reach:
    """Through Longshore's shared connection to the proxy."""

    @contextlib.contextmanager
    def reach(server: Sshd, address: str) -> Iterator[_Upload]:
        target = server.target(f"host-{address}", address=address, via=(hop,))
        session, _ = open_session(target, {}, tunnels=tunnels, deadlines=Deadlines())
        try:
            yield _Upload(session.start(COMMAND))
        finally:
            session.close()

    return reach
