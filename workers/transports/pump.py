"""A channel of a proxy as a socket, for a library that takes nothing else; no port is opened for it."""

import contextlib
import socket
import threading

from workers.transports.sockets import Stream

_PIECE_BYTES = 64 * 1024


def as_socket(stream: Stream) -> socket.socket:
    """The stream itself where it is a socket, else one end of a pair that is pumped into it.

    Closing that end closes the stream; the stream's end shows on it as the end of input.
    """
    if isinstance(stream, socket.socket):
        return stream
    near, far = socket.socketpair()
    pump = _Pump(stream, far)
    pump.start()
    return near


class _Pump:
    """Two threads between a stream and a socket; both end when either side does."""

    def __init__(self, stream: Stream, far: socket.socket) -> None:
        self._stream = stream
        self._far = far
        self._down = threading.Thread(target=self._pump_down, name="pump-down", daemon=True)
        self._up = threading.Thread(target=self._pump_up, name="pump-up", daemon=True)

    def start(self) -> None:
        """Begin to carry bytes."""
        self._down.start()
        self._up.start()

    def _pump_up(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while piece := self._far.recv(_PIECE_BYTES):
                self._send(piece)
        self._end()
        # Not before the other thread has let go of it: its number could be another file's by then.
        self._down.join()
        self._far.close()

    def _send(self, piece: bytes) -> None:
        while piece:
            piece = piece[self._stream.send(piece) :]

    def _pump_down(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while piece := self._stream.recv(_PIECE_BYTES):
                self._far.sendall(piece)
        self._end()

    def _end(self) -> None:
        """Wake both threads, from whatever they wait for."""
        self._stream.close()
        with contextlib.suppress(OSError):
            self._far.shutdown(socket.SHUT_RDWR)
