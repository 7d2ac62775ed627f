"""What ``netsh interface portproxy`` does on a Windows proxy: a relay of TCP ports, in user space.

It takes a connection before it knows whether the target answers; the client of one that doesn't is reset.
"""

import argparse
import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

_CONNECT_SECONDS: Final = 5.0
_PIECE: Final = 256 * 1024
_NO_LINGERING: Final = struct.pack("ii", 1, 0)


class PortProxy:
    """A relay that runs for as long as this context lasts.

    Attributes:
        targets: address and port by listening port; may be changed while it runs.
        relayed: how many connections were passed on.
    """

    def __init__(self, address: str, targets: Mapping[int, tuple[str, int]]) -> None:
        self.address = address
        self.targets = dict(targets)
        self.relayed = 0
        self._cutting = False
        self._lock = threading.Lock()
        self._listeners: list[socket.socket] = []
        self._ends: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()

    def listen(self) -> None:
        """Listen on every port of the table."""
        self._cutting = False
        for port in self.targets:
            listener = socket.create_server((self.address, port), backlog=128)
            self._listeners.append(listener)
            self._begin(self._accept, listener, port)

    def cut(self) -> None:
        """Listen no more, and cut every connection, as when the proxy goes down."""
        listeners, self._listeners = self._listeners, []
        with self._lock:
            self._cutting = True
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)
        while thread := self._a_thread():
            with self._lock:
                for end in self._ends:
                    _wake(end)
            thread.join()
        for listener in listeners:
            listener.close()

    def _a_thread(self) -> threading.Thread | None:
        with self._lock:
            return self._threads.pop() if self._threads else None

    def _begin(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        with self._lock:
            self._threads.append(thread)
            thread.start()

    def _accept(self, listener: socket.socket, port: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._hold(client)
                self._begin(self._relay, client, port)

    def _hold(self, end: socket.socket) -> None:
        # Without lingering, the end of a connection that isn't over is a reset.
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        with self._lock:
            self._ends.add(end)
            if self._cutting:
                _wake(end)

    def _let_go(self, end: socket.socket) -> None:
        with self._lock:
            self._ends.discard(end)
            end.close()

    def _relay(self, client: socket.socket, port: int) -> None:
        try:
            there = socket.create_connection(self.targets[port], timeout=_CONNECT_SECONDS)
        except (OSError, KeyError):
            self._let_go(client)
            return
        there.settimeout(None)
        self._hold(there)
        self.relayed += 1
        back = threading.Thread(target=self._pass_on, args=(there, client), daemon=True)
        back.start()
        self._pass_on(client, there)
        back.join()
        self._let_go(there)
        self._let_go(client)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(_PIECE):
                sink.sendall(data)
            if not self._cutting:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            _wake(source)
            _wake(sink)


def _wake(end: socket.socket) -> None:
    # Whoever reads it reads its end, and nothing is sent: what the other side sees is the reset.
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RD)


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
