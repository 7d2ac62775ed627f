"""A channel of a proxy as the stream that carries another SSH connection."""

import threading
from collections.abc import Callable

from workers.transports.channels import Channel, ChannelClosedError


class ChannelStream:
    """A channel of a proxy as the stream that carries another SSH connection."""

    def __init__(self, channel: Channel, give_back: Callable[[], None], stall: float) -> None:
        self._channel = channel
        self._give_back = give_back
        self._stall = stall
        self._timeout: float | None = None
        self._closed = False  # paramiko asks for it by this name
        self._lock = threading.Lock()

    def recv(self, size: int, /) -> bytes:
        """At least one byte, or ``b""`` at the end."""
        data = self._channel.recv(size, self._timeout)
        if data is None:
            raise TimeoutError
        return data

    def send(self, data: bytes, /) -> int:
        """Send some of the data; how much."""
        try:
            sent = self._channel.send(data, self._stall)
        except ChannelClosedError:
            raise EOFError from None
        if not sent:
            raise EOFError
        return sent

    def settimeout(self, seconds: float | None, /) -> None:
        """Give up a wait in ``recv`` after so many seconds."""
        self._timeout = seconds

    def shutdown(self, how: int, /) -> None:  # noqa: ARG002 - a socket's face
        """The same as ``close``."""
        self.close()

    def close(self) -> None:
        """Close the channel, and give its place to the next host."""
        with self._lock:
            first, self._closed = not self._closed, True
        if first:
            self._channel.close()
            self._give_back()
