"""Sessions over SSH: commands on channels of a connection, and how its loss is told."""

import contextlib
import time
from collections.abc import Callable

from config.causes import Cause
from workers.transports.base import Deadlines, TransportError
from workers.transports.channels import Channel, ChannelClosedError, ChannelRefusedError
from workers.transports.endpoints import Endpoint
from workers.transports.wire import Wire

_READ_BYTES = 64 * 1024
_PIECE_BYTES = 32 * 1024

WhoIsToBlame = Callable[[], TransportError | None]
"""Asked when a session is lost: the error of a proxy on the way, or None when it isn't a proxy's fault."""


class SshSession:
    """A Session on one host over SSH.

    Attributes:
        observed_keys: host keys seen on the way, by name of host or proxy.
    """

    def __init__(
        self,
        wire: Wire,
        endpoint: Endpoint,
        *,
        deadlines: Deadlines,
        who_is_to_blame: WhoIsToBlame,
        observed_keys: dict[str, str],
    ) -> None:
        self._wire = wire
        self._endpoint = endpoint
        self._deadlines = deadlines
        self._who_is_to_blame = who_is_to_blame
        self.observed_keys = observed_keys

    def start(self, command: str, *, stdin: bytes = b"", timeout: float = 15.0) -> "SshFollow":
        """Start ``command``; see Session."""
        end = time.monotonic() + timeout
        channel = self._open_channel(timeout)
        follow = SshFollow(channel, self, self._deadlines)
        try:
            # Not waiting for the answer saves a round trip; a refusal shows in the first read.
            channel.request("exec", command)
            if stdin:
                follow.write(stdin, max(0.0, end - time.monotonic()))
        except ChannelClosedError:
            follow.close()
            raise self.lost() from None
        except BaseException:
            follow.close()
            raise
        return follow

    def _open_channel(self, timeout: float) -> Channel:
        try:
            channel = self._wire.open("session")
            if channel.wait_open(timeout):
                return channel
        except ChannelClosedError:
            raise self.lost() from None
        except ChannelRefusedError as error:
            detail = f"refused to open a session: {error.reason or 'no reason given'}"
            raise self._endpoint.error(Cause.COMMAND, detail) from None
        raise self.lost(f"no answer to a new session within {timeout:g} s")

    @property
    def in_use(self) -> bool:
        """Whether a command's channel is still open."""
        return self._wire.open_channels > 0

    def is_alive(self) -> bool:
        """Whether the connection is open, as far as is known without waiting."""
        return self._wire.is_active()

    def answers(self, timeout: float) -> bool:
        """Whether the host gives a sign of life in time; one round trip."""
        return self._wire.ping(timeout)

    def close(self) -> None:
        """End the connection."""
        self._wire.close()

    def check(self) -> None:
        """Find out, without waiting for the host, whether the connection is still good.

        Raises:
            TransportError: it is lost.
        """
        if not self._wire.lives(silence=self._deadlines.silence, answer=self._deadlines.answer):
            raise self.lost()

    def lost(self, reason: str = "") -> TransportError:
        """The error of a connection that is lost; the connection is closed for good.

        Args:
            reason: how it showed; made from what is known about the connection when empty.
        """
        silent = self._wire.is_active()
        blamed = self._who_is_to_blame()
        self._wire.close()
        if blamed is not None:
            return blamed
        patience = self._deadlines.silence + self._deadlines.answer
        reason = reason or (f"no sign of life for {patience:g} s" if silent else self._wire.why_lost())
        return self._endpoint.error(Cause.CONNECTION_LOST, f"the connection was lost: {reason}")

    def refused(self, what: str) -> TransportError:
        """The error of a command that the host would not take, or did not carry out as commands are."""
        return self._endpoint.error(Cause.COMMAND, what)


class SshFollow:
    """A Follow over one SSH channel."""

    def __init__(self, channel: Channel, session: SshSession, deadlines: Deadlines) -> None:
        self._channel = channel
        self._session = session
        self._glance = deadlines.silence / 3

    def read(self, timeout: float) -> bytes | None:
        """Next bytes of standard output; see Follow."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            data = self._channel.recv(_READ_BYTES, max(0.0, min(left, self._glance)))
            if data:
                return data
            if data is not None:
                self._check_end()
                return data
            self._session.check()
            if left <= self._glance:
                return None

    def _check_end(self) -> None:
        if self._channel.lost:
            raise self._session.lost()
        if self._channel.refused_request:
            raise self._session.refused("refused to run a command")

    def write(self, data: bytes, timeout: float) -> None:
        """Write all of ``data``; see Follow."""
        end = time.monotonic() + timeout
        position = 0
        while position < len(data):
            left = end - time.monotonic()
            try:
                sent = self._channel.send(
                    data[position : position + _PIECE_BYTES], max(0.0, min(left, self._glance))
                )
            except ChannelClosedError:
                self._check_end()
                raise self._session.refused("the command ended before it had read its input") from None
            position += sent
            if not sent:
                self._session.check()
                if left <= self._glance:
                    raise self._session.refused(f"the command read nothing of its input for {timeout:g} s")

    def end_input(self) -> None:
        """Close the command's standard input."""
        with contextlib.suppress(ChannelClosedError):
            self._channel.end_input()

    def errors(self) -> bytes:
        """The head of standard error."""
        return self._channel.errors()

    def exit_status(self, timeout: float) -> int | None:
        """The exit code; see Follow."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            status, over = self._channel.exit_status(max(0.0, min(left, self._glance)))
            if status is not None:
                return status
            self._check_end()
            if over:
                raise self._session.refused("the command ended without an exit code")
            self._session.check()
            if left <= self._glance:
                return None

    def close(self) -> None:
        """Give the channel back."""
        self._channel.close()
