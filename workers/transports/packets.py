"""SSH packets over a stream that blocks: no polling, and no timer thread per connection."""

import time
from typing import Any

from paramiko import Message
from paramiko.packet import Packetizer

_READ_BYTES = 64 * 1024


class Packets(Packetizer):
    """Packets over a stream that blocks; what came after the greeting is read first."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._stream = stream
        self._greeted = False
        self._ahead = bytearray()
        # sshd holds packets back until ours is acknowledged, which takes the kernel 40 ms unless it is told.
        self._acknowledge = getattr(stream, "acknowledge", None)
        self.last_heard = time.monotonic()

    def put_back(self, data: bytes) -> None:
        """Bytes that were read from the stream before this reader existed."""
        self._ahead += data

    def read_message(self) -> tuple[int, Message]:
        """The next packet; takes note of when it came."""
        packet = super().read_message()
        self.last_heard = time.monotonic()
        return packet

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:  # noqa: ARG002, FBT001, FBT002 - paramiko's face
        """Exactly ``n`` bytes; what came with them is kept for the next call."""
        ahead = self._ahead
        while len(ahead) < n:
            try:
                chunk = self._stream.recv(_READ_BYTES)
                if self._acknowledge is not None:
                    self._acknowledge()
            except OSError:
                if self.closed:
                    raise EOFError from None
                raise
            if not chunk:
                raise EOFError
            ahead += chunk
        out = bytes(ahead[:n])
        del ahead[:n]
        return out

    def write_all(self, out: Any) -> None:
        """Write everything, except for the greeting."""
        # The first thing that paramiko writes is the greeting, which has been sent.
        if self._greeted:
            super().write_all(out)
        self._greeted = True

    def start_handshake(self, timeout: float) -> None:
        """Nothing: whoever connects waits with a deadline, and closes."""

    def close(self) -> None:
        """End the stream, and wake whoever reads from it."""
        # close() alone would leave the reader thread waiting in recv().
        try:
            self._stream.shutdown(2)
        except OSError:
            pass
        finally:
            super().close()
