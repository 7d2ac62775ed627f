"""Sessions over WinRM: commands in the one shell of a connection, and how its loss is told."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from config.causes import Cause
from workers.transports.base import Deadlines, TransportError
from workers.transports.endpoints import Endpoint
from workers.transports.winrm.clixml import as_text
from workers.transports.winrm.faults import FaultError, LateError, WireError
from workers.transports.winrm.wire import PIECE_BYTES, Received, Wire

logger = logging.getLogger(__name__)
_MOST_ERRORS = 64 * 1024
_CLOSING_SECONDS = 5.0
_SHELL_GONE = 2150858843
WhoIsToBlame = Callable[[], TransportError | None]
"""Asked when a session is lost: the error of a proxy on the way, or None when it isn't a proxy's fault."""


class WinrmSession:
    """A Session on one Windows host over WinRM; for one thread, but ``close`` may come from any.

    Attributes:
        observed_keys: host keys of proxies on the way, by name.
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
        self._open = 0
        self.observed_keys = observed_keys

    def start(self, command: str, *, stdin: bytes = b"", timeout: float = 15.0) -> "WinrmFollow":
        """Start ``command``; see Session."""
        end = time.monotonic() + timeout
        try:
            command_id = self._wire.run(command, timeout)
        except FaultError as error:
            raise self.faulted(error, "refused to run a command") from None
        except WireError as error:
            # Whether it runs is not known, not even when the host says that it took too long.
            raise self.lost(f"a command was not answered: {error}") from None
        follow = WinrmFollow(command_id, self._wire, self, self._deadlines)
        self._open += 1
        try:
            if stdin:
                follow.write(stdin, max(0.0, end - time.monotonic()))
        except BaseException:
            follow.close()
            raise
        return follow

    @property
    def in_use(self) -> bool:
        """Whether a command was not given back yet."""
        return self._open > 0

    def is_alive(self) -> bool:
        """Whether the connection is open, as far as is known without waiting."""
        return self._wire.alive

    def close(self) -> None:
        """End the shell, so far as the host still answers, and the connection."""
        self._wire.close(_CLOSING_SECONDS)

    def given_back(self) -> None:
        """A command was given back."""
        self._open -= 1

    def lost(self, reason: str) -> TransportError:
        """The error of a connection that is lost; it is closed for good.

        Args:
            reason: how it showed.
        """
        blamed = self._who_is_to_blame()
        self._wire.drop(reason)
        if blamed is not None:
            return blamed
        return self._endpoint.error(Cause.CONNECTION_LOST, f"the connection was lost: {reason}")

    def faulted(self, fault: FaultError, what: str) -> TransportError:
        """The error of a request that the host answered with a fault.

        Args:
            fault: as it came.
            what: it did with this, to follow the host's name.
        """
        if fault.code == _SHELL_GONE:
            return self.lost(f"the host has ended the shell: {fault}")
        return self.refused(f"{what}: {fault}")

    def refused(self, what: str) -> TransportError:
        """The error of a command that the host would not take, or did not carry out as commands are."""
        return self._endpoint.error(Cause.COMMAND, what)


class WinrmFollow:
    """A Follow of one command in a WinRM shell."""

    def __init__(self, command_id: str, wire: Wire, session: WinrmSession, deadlines: Deadlines) -> None:
        self._id = command_id
        self._wire = wire
        self._session = session
        self._deadlines = deadlines
        self._closing = threading.Lock()
        self._closed = False
        # Kept back until it is known whether the end of the input comes with it: that saves a request.
        self._pending = bytearray()
        self._input_ended = False
        self._output: deque[bytes] = deque()
        self._errors = bytearray()
        self._exit_code: int | None = None

    def read(self, timeout: float) -> bytes | None:
        """Next bytes of standard output; see Follow."""
        self._flush(timeout)
        end = time.monotonic() + timeout
        while not self._output and self._exit_code is None:
            left = end - time.monotonic()
            self._receive(left)
            if left <= 1 and not self._output and self._exit_code is None:
                return None
        return self._output.popleft() if self._output else b""

    def write(self, data: bytes, timeout: float) -> None:
        """Write all of ``data``, of which the host may get the last piece with what follows; see Follow."""
        end = time.monotonic() + timeout
        self._pending += data
        while len(self._pending) > PIECE_BYTES:
            piece = bytes(self._pending[:PIECE_BYTES])
            del self._pending[:PIECE_BYTES]
            if not self._send(piece, end - time.monotonic(), end=False):
                raise self._session.refused("the command ended before it had read its input")

    def end_input(self) -> None:
        """Close the command's standard input."""
        if not self._input_ended and self._exit_code is None:
            self._input_ended = True
            self._send(self._take_pending(), self._deadlines.answer, end=True)

    def errors(self) -> bytes:
        """The head of standard error, as text where PowerShell made CLIXML of it."""
        return as_text(bytes(self._errors))

    def exit_status(self, timeout: float) -> int | None:
        """The exit code; see Follow."""
        self._flush(timeout)
        end = time.monotonic() + timeout
        while self._exit_code is None:
            left = end - time.monotonic()
            self._receive(left)
            if left <= 1:
                break
        return self._exit_code

    def close(self) -> None:
        """End the command if it still runs, and see to it that it is gone."""
        with self._closing:
            first, self._closed = not self._closed, True
        if not first:
            return
        try:
            if self._exit_code is None and self._wire.alive:
                self._end()
        except TransportError as error:
            logger.warning("a command was not confirmed gone: %s", error.detail)
        finally:
            self._session.given_back()

    def _end(self) -> None:
        # One that has seen the end of its input is about to end by itself, which costs one request less.
        if self._input_ended and self._over(1.0):
            return
        try:
            self._wire.terminate(self._id, self._deadlines.answer)
        except (FaultError, LateError) as error:
            # It may have ended by itself; what counts is that it is gone.
            logger.info("a command was not terminated: %s", error)
        except WireError as error:
            raise self._session.lost(str(error)) from None
        if not self._over(self._deadlines.answer):
            raise self._session.lost("a command did not end when it was told to")

    def _over(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self._exit_code is None:
            left = end - time.monotonic()
            try:
                self._keep(self._wire.receive(self._id, max(1.0, left)))
            except FaultError:
                # The host doesn't know the command any more, or has broken off what it was asked about it.
                return True
            except WireError as error:
                raise self._session.lost(str(error)) from None
            self._output.clear()
            if left <= 1:
                break
        return self._exit_code is not None

    def _flush(self, timeout: float) -> None:
        if self._pending:
            self._send(self._take_pending(), timeout, end=False)

    def _take_pending(self) -> bytes:
        data = bytes(self._pending)
        self._pending.clear()
        return data

    def _send(self, data: bytes, timeout: float, *, end: bool) -> bool:
        """Send input; False when the command is over and takes none."""
        if self._exit_code is not None:
            return False
        allowed = min(max(1.0, timeout), self._deadlines.silence)
        try:
            self._wire.send(self._id, data, allowed, end=end)
        except LateError:
            raise self._session.refused(f"the command read nothing of its input for {allowed:g} s") from None
        except FaultError as fault:
            self._receive(1.0)
            if self._exit_code is None:
                raise self._session.faulted(fault, "did not take a command's input") from None
            return False
        except WireError as error:
            raise self._session.lost(f"{error}, in the middle of a command's input") from None
        return True

    def _receive(self, seconds: float) -> None:
        allowed = min(max(1.0, seconds), self._deadlines.silence)
        try:
            self._keep(self._wire.receive(self._id, allowed))
        except FaultError as fault:
            # Nothing but a shell or command that is gone makes a host refuse to say what a command printed.
            raise self._session.lost(f"the host knows nothing of the command any more: {fault}") from None
        except WireError as error:
            # Output may have been on its way: whoever follows knows how far it got, and asks anew.
            raise self._session.lost(str(error)) from None

    def _keep(self, received: Received | None) -> None:
        if received is None:
            return
        if received.stdout:
            self._output.append(received.stdout)
        self._errors += received.stderr[: _MOST_ERRORS - len(self._errors)]
        self._exit_code = received.exit_code
