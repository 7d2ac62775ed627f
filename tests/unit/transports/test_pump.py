import socket
import threading
from collections.abc import Iterator

import pytest

from workers.transports.pump import as_socket

WAIT = 10.0


class Piped:
    """A Stream over a socket pair that notes when it is closed; sends at most seven bytes at a time."""

    def __init__(self) -> None:
        self._near, self.other_end = socket.socketpair()
        self.other_end.settimeout(WAIT)
        self.closed = threading.Event()

    def recv(self, size: int, /) -> bytes:
        return self._near.recv(size)

    def send(self, data: bytes, /) -> int:
        return self._near.send(data[:7])

    def settimeout(self, seconds: float | None, /) -> None:
        self._near.settimeout(seconds)

    def shutdown(self, how: int, /) -> None:
        self._near.shutdown(how)

    def close(self) -> None:
        self.closed.set()
        self._near.shutdown(socket.SHUT_RDWR)

    def free(self) -> None:
        self._near.close()
        self.other_end.close()


@pytest.fixture
def stream() -> Iterator[Piped]:
    piped = Piped()
    yield piped
    for thread in threading.enumerate():
        if thread.name.startswith("pump-"):
            thread.join(WAIT)
    alive = [thread.name for thread in threading.enumerate() if thread.name.startswith("pump-")]
    piped.free()
    assert not alive


def test_bytes_go_both_ways(stream: Piped) -> None:
    with as_socket(stream) as link:
        link.settimeout(WAIT)
        link.sendall(b"one two three")
        got = b""
        while len(got) < 13:
            got += stream.other_end.recv(100)
        assert got == b"one two three"
        stream.other_end.sendall(b"four")
        assert link.recv(100) == b"four"


def test_closing_the_socket_closes_the_stream(stream: Piped) -> None:
    as_socket(stream).close()
    assert stream.closed.wait(WAIT)


def test_end_of_the_stream_is_the_end_of_input_on_the_socket(stream: Piped) -> None:
    with as_socket(stream) as link:
        link.settimeout(WAIT)
        stream.other_end.shutdown(socket.SHUT_RDWR)
        assert link.recv(100) == b""
        assert stream.closed.wait(WAIT)


def test_closing_ends_a_pump_that_can_get_rid_of_nothing(stream: Piped) -> None:
    link = as_socket(stream)
    stream.other_end.settimeout(0.5)
    with pytest.raises(TimeoutError):
        stream.other_end.sendall(b"x" * 10_000_000)
    link.close()
    assert stream.closed.wait(WAIT)


def test_socket_is_taken_as_it_is() -> None:
    with socket.socket() as link:
        assert as_socket(link) is link
