"""What ``netsh interface portproxy`` does on a Windows proxy: a relay of TCP ports, in user space.

It takes a connection before it knows whether the target answers; the client of one that doesn't is reset.
"""

import argparse
import asyncio
import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Final, Self

from lab.tcp import free_port

_CONNECT_SECONDS: Final = 5.0
_PIECE: Final = 256 * 1024
_BACKLOG: Final = 1024


class PortProxy:
    """A relay that runs for as long as this context lasts; its ports are its own from the beginning.

    Attributes:
        targets: address and port by listening port; may be changed while it runs.
        relayed: how many connections were passed on.
    """

    def __init__(self, address: str, targets: Mapping[int, tuple[str, int]]) -> None:
        """Take the ports; nobody is listened to yet.

        Raises:
            OSError: a port is somebody else's.
        """
        self.address = address
        self.targets = dict(targets)
        self.relayed = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="portproxy")
        self._ports = {port: _taken(address, port) for port in targets}
        self._listening = False
        self._connections: dict[asyncio.Task[None], socket.socket] = {}

    @classmethod
    def at_free_ports(cls, address: str, places: Iterable[tuple[str, int]]) -> Self:
        """A relay with a free port for each of these places."""
        proxy = cls(address, {})
        for place in places:
            proxy._forward_free_port(place)
        return proxy

    def _forward_free_port(self, place: tuple[str, int]) -> None:
        while True:
            port = free_port()
            with contextlib.suppress(OSError):  # somebody was quicker
                self._ports[port] = _taken(self.address, port)
                self.targets[port] = place
                return

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        for each in self._ports.values():
            each.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def listen(self) -> None:
        """Listen on every port of the table."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def cut(self) -> None:
        """Listen no more, and cut every connection, as when the proxy goes down."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    @property
    def open(self) -> int:
        """How many connections it holds at this moment."""
        return len(self._connections)

    async def _listen(self) -> None:
        self._listening = True
        for port, listener in self._ports.items():
            listener.listen(_BACKLOG)
            listener.setblocking(False)
            # asyncio's own servers lose a connection that comes in the moment in which they are closed.
            self._loop.add_reader(listener, self._take, listener, port)

    async def _cut(self) -> None:
        for port, listener in list(self._ports.items()) if self._listening else []:
            self._loop.remove_reader(listener)
            listener.close()
            # Taken at once, or it would be somebody else's when it is listened to again.
            self._ports[port] = _taken(self.address, port)
        self._listening = False
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    def _take(self, listener: socket.socket, port: int) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            task = self._loop.create_task(self._relay(connection, port))
            self._connections[task] = connection
            task.add_done_callback(self._let_go)

    def _let_go(self, task: "asyncio.Task[None]") -> None:
        # Also of one that was cancelled before its first turn.
        connection = self._connections.pop(task)
        if task.cancelled() or task.exception() is not None:
            _reset(connection)
        connection.close()

    async def _relay(self, connection: socket.socket, port: int) -> None:
        """Ends in an OSError where either side was cut or the target isn't there."""
        connection.setblocking(False)
        target = await self._connected(port)
        self.relayed += 1
        ways = [asyncio.ensure_future(_pass_on(*each)) for each in _both(connection, target)]
        try:
            await asyncio.gather(*ways)
        except BaseException:
            _reset(target)
            raise
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            target.close()

    async def _connected(self, port: int) -> socket.socket:
        address = self.targets.get(port)
        if address is None:
            raise ConnectionRefusedError
        found = await self._loop.getaddrinfo(*address, type=socket.SOCK_STREAM)
        family, kind, protocol, _, place = found[0]
        target = socket.socket(family, kind, protocol)
        target.setblocking(False)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._loop.sock_connect(target, place)
        except BaseException:
            target.close()
            raise
        return target


def _taken(address: str, port: int) -> socket.socket:
    taken = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((address, port))
    except BaseException:
        taken.close()
        raise
    return taken


def _both(one: socket.socket, other: socket.socket) -> list[tuple[socket.socket, socket.socket]]:
    for each in (one, other):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return [(one, other), (other, one)]


def _reset(connection: socket.socket) -> None:
    """Have the connection end in a reset, and not as one that was closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _PIECE):
        await loop.sock_sendall(sink, data)
    sink.shutdown(socket.SHUT_WR)


def main() -> None:
    """Relay until it is told to end; ``--relay 15986=10.0.1.21:5986`` as often as needed."""
    parser = argparse.ArgumentParser(prog="python -m lab.windows.portproxy", description=main.__doc__)
    parser.add_argument("--address", default="127.0.0.1", help="where to listen")
    parser.add_argument("--relay", action="append", required=True, metavar="PORT=ADDRESS:PORT")
    arguments = parser.parse_args()
    targets = {}
    for each in arguments.relay:
        port, _, target = each.partition("=")
        address, _, target_port = target.rpartition(":")
        targets[int(port)] = (address.strip("[]"), int(target_port))
    with PortProxy(arguments.address, targets):
        sys.stdout.write(f"{arguments.address}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
