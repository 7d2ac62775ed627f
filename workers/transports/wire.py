"""paramiko's transport, with packets, channels and deadlines of our own.

What is changed, and why: channels are ours (see ``channels``); the reader thread blocks on its socket instead
of waking ten times a second; no timer thread per connection; the greeting is exchanged before, where its
deadline is; each refused channel keeps its own reason; nothing is logged, since a failed host is a value.
"""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import paramiko
from paramiko import Message, SSHException
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_FAILURE,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_SUCCESS,
    MSG_CHANNEL_WINDOW_ADJUST,
    cMSG_CHANNEL_OPEN,
    cMSG_GLOBAL_REQUEST,
)

from workers.transports.channels import PACKET, WINDOW, Channel, ChannelClosedError
from workers.transports.endpoints import cleaned
from workers.transports.packets import Packets
from workers.transports.sockets import GREETING, Stream

_KEY_TYPES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


class _Channels(dict[int, Channel]):
    """All channels by number, with the names that paramiko calls; each stays until both sides have closed."""

    put = dict.__setitem__

    def values(self) -> Any:
        """Nobody: paramiko would tell them of the end before it clears ``active``; ``run`` tells them."""
        return ()

    def delete(self, number: int) -> None:
        self.pop(number, None)


class _Anything:
    """What paramiko asks whether a channel was ever open: a packet for one that is gone does no harm."""

    def __contains__(self, number: object) -> bool:
        return True


class Wire(paramiko.Transport):
    """One SSH connection as a client, shared by any number of threads.

    Attributes:
        farewell: what the server said when it ended the connection.
    """

    _CLIENT_ID = GREETING.removeprefix("SSH-2.0-")
    # By what they cost (docs/decisions/0002-ssh-settings.md): P-256 costs hosts least; sntrup761 and ML-KEM
    # cost a worker most.
    _preferred_kex = (
        "ecdh-sha2-nistp256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group-exchange-sha256",
        "diffie-hellman-group14-sha256",
    )
    # AES-GCM needs no MAC of its own, whose check is a loop in Python in paramiko: 1 ms less per connection.
    _preferred_ciphers = (
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
    )
    _preferred_macs = (
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
    )
    _active_check_timeout = None
    _channel_handler_table: ClassVar[dict[int, Callable[[Channel, Message], None]]] = {
        MSG_CHANNEL_SUCCESS: Channel.on_success,
        MSG_CHANNEL_FAILURE: Channel.on_failure,
        MSG_CHANNEL_DATA: Channel.on_data,
        MSG_CHANNEL_EXTENDED_DATA: Channel.on_extended_data,
        MSG_CHANNEL_WINDOW_ADJUST: Channel.on_window,
        MSG_CHANNEL_REQUEST: Channel.on_request,
        MSG_CHANNEL_EOF: Channel.on_eof,
        MSG_CHANNEL_CLOSE: Channel.on_close,
    }
    if TYPE_CHECKING:  # what paramiko's types leave out
        active: bool
        _preferred_keys: tuple[str, ...]

        def _send_user_message(self, data: Message) -> None: ...
        def _next_channel(self) -> int: ...

    def __init__(
        self, stream: Stream, *, version: str, ahead: bytes, key_types: tuple[str, ...] = ()
    ) -> None:
        """Take over a stream on which greetings were exchanged.

        Args:
            stream: the connected stream.
            version: the server's line.
            ahead: what was read after it.
            key_types: types of the host keys that are known, to be asked for first.
        """
        self.farewell = ""
        self._replies = 0
        self._asked_at = 0.0
        self._reply_came = threading.Condition()
        super().__init__(stream, packetizer_class=Packets)  # type: ignore[arg-type]  # a stream is enough
        self.remote_version = version
        self.packetizer: Packets
        self.packetizer.put_back(ahead)
        self._channels = _Channels()
        self.channels_seen = _Anything()  # type: ignore[assignment]  # only asked with "in"
        known = [
            name
            for kind in key_types
            for name in _KEY_TYPES.get(kind, (kind,))
            if name in self._preferred_keys
        ]
        self._preferred_keys = (*known, *(name for name in self._preferred_keys if name not in known))

    # For owners.

    def open(self, kind: str, *arguments: str | int) -> Channel:
        """Ask for a channel; ``wait_open`` on it tells the answer.

        Raises:
            ChannelClosedError: the connection is gone.
        """
        message = Message()
        message.add_byte(cMSG_CHANNEL_OPEN)
        message.add_string(kind)
        with self.lock:
            number = self._next_channel()
            channel = Channel(self, number)
            self._channels.put(number, channel)
        for value in (number, WINDOW, PACKET):
            message.add_int(value)
        for argument in arguments:
            message.add_int(argument) if isinstance(argument, int) else message.add_string(argument)
        try:
            self.send_packet(message)
        except ChannelClosedError:
            self.forget(number)
            raise
        return channel

    def forget(self, number: int) -> None:
        """A channel is closed on both sides."""
        self._channels.delete(number)

    def send_packet(self, message: Message) -> None:
        """Write one packet.

        Raises:
            ChannelClosedError: the connection is gone.
        """
        if not self.active:
            raise ChannelClosedError
        try:
            self._send_user_message(message)
        except (OSError, EOFError, SSHException):
            raise ChannelClosedError from None

    @property
    def open_channels(self) -> int:
        """How many channels their owners have not closed."""
        return sum(not channel.closed for _, channel in list(self._channels.items()))

    @property
    def last_heard(self) -> float:
        """When the server's last packet came, on the monotonic clock."""
        return self.packetizer.last_heard

    def ping(self, timeout: float) -> bool:
        """Ask the server for a sign of life, and whether it came in time."""
        with self._reply_came:
            before = self._replies
        try:
            self._ask()
        except ChannelClosedError:
            return False
        with self._reply_came:
            self._reply_came.wait_for(lambda: self._replies > before or not self.active, timeout)
            return self._replies > before

    def lives(self, *, silence: float, answer: float) -> bool:
        """Whether the connection counts as alive, asking it, without waiting, when it is silent for too long.

        Args:
            silence: seconds without a packet after which it is asked.
            answer: seconds that it may then take to say anything.
        """
        now = time.monotonic()
        if not self.active:
            return False
        if now - self.last_heard < silence:
            return True
        if self._asked_at <= self.last_heard:
            self._asked_at = now
            try:
                self._ask()
            except ChannelClosedError:
                return False
        return now - self._asked_at < answer

    def why_lost(self) -> str:
        """What is known about the end of the connection."""
        if self.farewell:
            return f"the server ended it: {self.farewell}"
        error = self.saved_exception
        if error is None or isinstance(error, EOFError):
            return "it was closed"
        if isinstance(error, OSError):
            return (error.strerror or "it was closed").lower()
        return cleaned(str(error))

    def _ask(self) -> None:
        message = Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(True)
        self.send_packet(message)

    # For paramiko: called by its reader thread.

    def run(self) -> None:
        """Read packets until the connection ends, then tell everyone who waits."""
        try:
            super().run()
        finally:
            for _, channel in list(self._channels.items()):
                channel.on_lost()
            with self._reply_came:
                self._reply_came.notify_all()

    def _log(self, level: int, msg: object, *args: object) -> None:
        """Nothing: failures are values here."""

    def _check_banner(self) -> None:
        """Nothing: the greetings were exchanged before."""

    def _parse_debug(self, message: Message) -> None:
        """Nothing: sshd sends these for each option of an authorized key."""

    def _parse_disconnect(self, message: Message) -> None:
        message.get_int()
        self.farewell = cleaned(message.get_text())

    def _answered(self, _message: Message) -> None:
        with self._reply_came:
            self._replies += 1
            self._reply_came.notify_all()

    _parse_request_success = _answered
    _parse_request_failure = _answered

    def _parse_channel_open_success(self, message: Message) -> None:
        channel = self._channels.get(message.get_int())
        if channel is not None:
            channel.opened(message.get_int(), message.get_int(), message.get_int())

    def _parse_channel_open_failure(self, message: Message) -> None:
        channel = self._channels.pop(message.get_int(), None)
        if channel is not None:
            channel.refused(message.get_int(), cleaned(message.get_string()))
