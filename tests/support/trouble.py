"""TCP servers that are no good: they say nothing, close at once, or speak something else."""

import contextlib
import socket
import threading
from collections.abc import Iterator

_HTTP = b"HTTP/1.1 400 Bad Request\r\nServer: \x1b[31mnginx\x1b[0m\r\nConnection: close\r\n\r\n"


class TroubleServer:
    """A listener on 127.0.0.1 that treats every connection alike.

    Attributes:
        port: where it listens.
        accepted: how many connections it has taken.
    """

    def __init__(self, says: bytes, *, closes: bool) -> None:
        self._says = says
        self._closes = closes
        self._held: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self.accepted = 0
        self._thread = threading.Thread(target=self._serve, name="trouble", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        # shutdown() in stop() ends accept() with an OSError; close() alone would leave it waiting.
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                if self._says:
                    connection.sendall(self._says)
                if self._closes:
                    connection.close()
                else:
                    self._held.append(connection)

    def stop(self) -> None:
        """Close the listener and everything it holds."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for connection in self._held:
            connection.close()


@contextlib.contextmanager
def silent_server() -> Iterator[TroubleServer]:
    """Accepts and says nothing."""
    with _running(TroubleServer(b"", closes=False)) as server:
        yield server


@contextlib.contextmanager
def closing_server() -> Iterator[TroubleServer]:
    """Accepts and closes at once."""
    with _running(TroubleServer(b"", closes=True)) as server:
        yield server


@contextlib.contextmanager
def http_server() -> Iterator[TroubleServer]:
    """Accepts and speaks HTTP, with a colour code in it, before anything was asked."""
    with _running(TroubleServer(_HTTP, closes=False)) as server:
        yield server


@contextlib.contextmanager
def full_server() -> Iterator[int]:
    """A port whose queue of connections is full: a connect to it gets no answer. Gives the port."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        # One connection waits in the queue of a listener with backlog 0; the others' SYNs are dropped.
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", port))
        yield port


@contextlib.contextmanager
def _running(server: TroubleServer) -> Iterator[TroubleServer]:
    try:
        yield server
    finally:
        server.stop()
