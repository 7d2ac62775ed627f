"""One channel of an SSH connection that many threads share.

paramiko's own channel releases its lock before a packet is written, so another thread's CLOSE can overtake
DATA; OpenSSH then ends the whole connection (paramiko#1115). Here every packet of a channel is written under
that channel's one writer lock, nothing is written after CLOSE, and the thread that reads the connection
writes nothing at all: the server's CLOSE only marks the channel, and its owner answers it in ``close``.
"""

import contextlib
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from paramiko import Message, SSHException
from paramiko.common import (
    cMSG_CHANNEL_CLOSE,
    cMSG_CHANNEL_DATA,
    cMSG_CHANNEL_EOF,
    cMSG_CHANNEL_FAILURE,
    cMSG_CHANNEL_REQUEST,
    cMSG_CHANNEL_WINDOW_ADJUST,
)

if TYPE_CHECKING:
    from workers.transports.wire import Wire

WINDOW = 256 * 1024
PACKET = 32 * 1024
_MOST_ERRORS = 64 * 1024
_SIGNALS = {"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9, "USR1": 10, "SEGV": 11}
_SIGNALS |= {"USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15}


class ChannelRefusedError(Exception):
    """The server refused to open a channel.

    Attributes:
        code: the reason's number in RFC 4254.
        reason: what the server said.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ChannelClosedError(Exception):
    """Nothing can be written: this side or the server has closed the channel, or the connection is gone."""


class Channel:
    """A channel; its owner reads, writes and closes from any thread, the connection's reader feeds it.

    Attributes:
        lost: the connection that carried it ended; not the channel alone.
        refused_request: the server refused the last request, such as a command.
    """

    def __init__(self, wire: "Wire", number: int) -> None:
        self._wire = wire
        self._number = number
        self._remote_number = 0
        # _changed guards the state and is never held while a packet is written; _writing orders the packets.
        self._changed = threading.Condition(threading.Lock())
        self._writing = threading.Lock()
        self._opened = False
        self._refusal: ChannelRefusedError | None = None
        self._abandoned = False
        self._received: deque[bytes] = deque()
        self._buffered = 0
        self._consumed = 0
        self._errors = bytearray()
        self._room = 0
        self._packet = PACKET
        self._ended = False
        self._eof_sent = False
        self._closed = False
        self._closed_by_server = False
        self._status: int | None = None
        self.refused_request = False
        self.lost = False

    # Called by the owner.

    def wait_open(self, timeout: float) -> bool:
        """Wait for the server's answer; False when it didn't come in time, and the channel is given up.

        Raises:
            ChannelRefusedError: the server said no.
            ChannelClosedError: the connection was lost.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._opened or self._refusal or self.lost, timeout)
            if self._refusal is not None:
                raise self._refusal
            if self.lost:
                raise ChannelClosedError
            self._abandoned = not self._opened
            return self._opened

    def request(self, kind: str, argument: str) -> None:
        """Send a channel request such as ``exec``; its refusal shows as ``refused_request`` and the end."""
        message = self._message(cMSG_CHANNEL_REQUEST)
        message.add_string(kind)
        message.add_boolean(True)
        message.add_string(argument)
        with self._writing:
            self._check_writable()
            self._wire.send_packet(message)

    def recv(self, size: int, timeout: float | None) -> bytes | None:
        """Up to ``size`` bytes: ``b""`` at the end, None when nothing came in ``timeout`` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._changed:
                left = None if end is None else end - time.monotonic()
                came = self._changed.wait_for(self._readable, left)
                data = self._take(size)
                grant, self._consumed = (self._consumed, 0) if self._grant_due() else (0, self._consumed)
                finished = self._finished()
            if grant:
                self._grant(grant)
            if data or (finished and not data):
                return data
            if not came:
                return None

    def send(self, data: bytes, timeout: float | None) -> int:
        """Send some of ``data``; how much. 0 when there was no room for ``timeout`` seconds.

        Raises:
            ChannelClosedError: nothing can be sent any more.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._writing:
                size = self._reserve(len(data))
                if size:
                    message = self._message(cMSG_CHANNEL_DATA)
                    message.add_string(data[:size])
                    self._wire.send_packet(message)
                    return size
            # Outside the writer lock, so that close() never has to wait for a server that doesn't read.
            with self._changed:
                left = None if end is None else end - time.monotonic()
                if not self._changed.wait_for(self._sendable, left):
                    return 0

    def end_input(self) -> None:
        """Tell the server that nothing more will be sent; safe to call twice."""
        with self._writing:
            if self._eof_sent or self._closed or self._closed_by_server or self.lost:
                return
            self._eof_sent = True
            self._wire.send_packet(self._message(cMSG_CHANNEL_EOF))

    def close(self) -> None:
        """Close the channel; safe to call twice, and from any thread."""
        with self._changed:
            # First of all: whoever waits for room to write must let go of the writer lock's queue.
            first, self._closed = not self._closed, True
            self._changed.notify_all()
        if not first:
            return
        with contextlib.suppress(ChannelClosedError), self._writing:
            if self._opened and not self.lost:
                self._wire.send_packet(self._message(cMSG_CHANNEL_CLOSE))
        if self._closed_by_server or not self._opened:
            self._wire.forget(self._number)

    def exit_status(self, timeout: float) -> tuple[int | None, bool]:
        """The exit code, 128+N for a signal, or None while unknown; and whether the channel is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._status is not None or self._over(), timeout)
            return self._status, self._over()

    def errors(self) -> bytes:
        """The head of standard error."""
        with self._changed:
            return bytes(self._errors)

    @property
    def closed(self) -> bool:
        """Whether the owner has closed it."""
        return self._closed

    # State; called with _changed held.

    def _over(self) -> bool:
        return self._closed or self._closed_by_server or self.lost

    def _finished(self) -> bool:
        return not self._received and (self._ended or self._over())

    def _readable(self) -> bool:
        return bool(self._received) or self._ended or self._over() or self._grant_due()

    def _sendable(self) -> bool:
        return self._room > 0 or self._over()

    def _grant_due(self) -> bool:
        return self._consumed >= WINDOW // 2

    def _take(self, size: int) -> bytes:
        if not self._received:
            return b""
        data = self._received.popleft()
        if len(data) > size:
            self._received.appendleft(data[size:])
            data = data[:size]
        self._buffered -= len(data)
        self._consumed += len(data)
        return data

    # Packets; called with _writing held, except where said.

    def _message(self, kind: bytes) -> Message:
        message = Message()
        message.add_byte(kind)
        message.add_int(self._remote_number)
        return message

    def _check_writable(self) -> None:
        if self._over():
            raise ChannelClosedError

    def _reserve(self, size: int) -> int:
        with self._changed:
            if self._over() or self._eof_sent:
                raise ChannelClosedError
            size = min(size, self._room, self._packet)
            self._room -= size
            return size

    def _grant(self, size: int) -> None:
        """Let the server send as much again as was read; takes the writer lock."""
        message = self._message(cMSG_CHANNEL_WINDOW_ADJUST)
        message.add_int(size)
        with self._writing:
            if not self._over():
                self._wire.send_packet(message)

    # Called by the connection's reader thread, which must not wait and writes nothing.

    def opened(self, remote_number: int, room: int, packet: int) -> None:
        """The server has opened the channel."""
        with self._changed:
            self._remote_number, self._room = remote_number, room
            self._packet = min(max(packet, 4096), PACKET)
            self._opened = True
            late = self._abandoned
            self._changed.notify_all()
        if late:
            # Nobody waits for it any more, but the server holds it open: rare enough for a thread.
            threading.Thread(target=self.close, name="late-channel", daemon=True).start()

    def refused(self, code: int, reason: str) -> None:
        """The server has refused to open the channel."""
        with self._changed:
            self._refusal = ChannelRefusedError(code, reason)
            self._changed.notify_all()

    def on_success(self, message: Message) -> None:
        """The server accepted a request; nobody waits for that."""

    def on_failure(self, _message: Message) -> None:
        """The server refused a request."""
        with self._changed:
            self.refused_request = True
            self._ended = True
            self._changed.notify_all()

    def on_data(self, message: Message) -> None:
        """Bytes of standard output, or of the stream that the channel carries."""
        data = message.get_binary()
        with self._changed:
            self._buffered += len(data)
            # What was consumed is granted again in steps, so this much may be on its way at most.
            if self._buffered > WINDOW:
                raise SSHException("the server sent more than the channel's window")
            if data and not self._closed:
                self._received.append(data)
                self._changed.notify_all()

    def on_extended_data(self, message: Message) -> None:
        """Bytes of standard error: the head is kept, the rest counts as read."""
        message.get_int()
        data = message.get_binary()
        with self._changed:
            self._errors += data[: _MOST_ERRORS - len(self._errors)]
            self._consumed += len(data)
            if self._grant_due():
                self._changed.notify_all()

    def on_window(self, message: Message) -> None:
        """The server has room for more."""
        with self._changed:
            self._room += message.get_int()
            self._changed.notify_all()

    def on_request(self, message: Message) -> None:
        """How the command ended, or a server's question whether this side lives."""
        kind = message.get_text()
        wants_reply = message.get_boolean()
        with self._changed:
            if kind == "exit-status":
                self._status = message.get_int()
            elif kind == "exit-signal":
                self._status = 128 + _SIGNALS.get(message.get_text(), 0)
            self._changed.notify_all()
        if wants_reply:
            threading.Thread(target=self._refuse_request, name="channel-reply", daemon=True).start()

    def _refuse_request(self) -> None:
        with contextlib.suppress(ChannelClosedError), self._writing:
            if not self._over():
                self._wire.send_packet(self._message(cMSG_CHANNEL_FAILURE))

    def on_eof(self, _message: Message) -> None:
        """The server sends nothing more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def on_close(self, _message: Message) -> None:
        """The server has closed the channel; ``close`` answers it."""
        with self._changed:
            self._closed_by_server = True
            self._changed.notify_all()
            both = self._closed
        if both:
            self._wire.forget(self._number)

    def on_lost(self) -> None:
        """The connection has ended."""
        with self._changed:
            self.lost = not (self._closed_by_server or self._closed)
            self._changed.notify_all()
