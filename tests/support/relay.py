"""A port forward as a Windows proxy makes it: it takes the connection, then looks for the target."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Relay:
    """Forwards a port of 127.0.0.1.

    Attributes:
        port: where it listens.
        target: what each new connection is forwarded to.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._serve, name="relay", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inner, _ = self._listener.accept()
                try:
                    outer = socket.create_connection(self.target, timeout=5)
                except OSError:
                    inner.close()
                    continue
                outer.settimeout(None)
                self._open |= {inner, outer}
                for source, sink in ((inner, outer), (outer, inner)):
                    threading.Thread(target=_carry, args=(source, sink), daemon=True).start()

    def cut(self) -> None:
        """End all connections that go through it."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """End it with all that goes through it."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.cut()
        for each in self._open:
            each.close()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def relay_to(address: str, port: int) -> Iterator[Relay]:
    """A relay for the time of the block."""
    relay = Relay((address, port))
    try:
        yield relay
    finally:
        relay.stop()
