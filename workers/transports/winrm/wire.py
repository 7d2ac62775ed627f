"""One WinRM shell on a host, and the requests that it takes, over pywinrm's Protocol."""

import base64
import contextlib
import math
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import xmltodict
from winrm.exceptions import WinRMOperationTimeoutError
from winrm.protocol import Protocol

from workers.transports.base import Deadlines
from workers.transports.winrm.faults import LateError, LostError, WireError, read_error
from workers.transports.winrm.http import OneConnectionTransport

PIECE_BYTES = 256 * 1024
"""Input per request; encoded, it stays under MaxEnvelopeSizekb, 500 by default."""
_IDLE = "PT180S"
"""A shell that was asked nothing for so long is ended by the host: those of a lost connection go by it."""
_UTF8 = 65001
_BUSY_SECONDS = 2.0
_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
_SEND = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Send"
_PLACE = b"INPUT-GOES-HERE"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a command printed since it was last asked.

    Attributes:
        exit_code: unsigned, 32 bit; None while it runs.
    """

    stdout: bytes
    stderr: bytes
    exit_code: int | None


class Wire:
    """A connection with one shell; one request at a time, by any thread."""

    def __init__(self, link: socket.socket, deadlines: Deadlines, **options: Any) -> None:
        """Nothing is sent yet.

        Args:
            link: connected to the host, with TLS already where it is spoken.
            deadlines: ``silence`` and ``answer`` count for every request.
            options: of pywinrm's Transport.
        """
        self._link = link
        self._deadlines = deadlines
        self._lock = threading.Lock()
        self._shell = ""
        self._why_lost = ""
        # Neither certificates nor proxies are to be looked for in the environment.
        options |= {"ca_trust_path": None, "proxy": None}
        method = options.pop("auth_method")
        self._protocol = Protocol(transport=method, **options)
        self._transport = OneConnectionTransport(link, auth_method=method, **options)
        self._protocol.transport = self._transport

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return not self._why_lost

    @property
    def heard(self) -> bool:
        """Whether the host ever answered."""
        return self._transport.connection.answers > 0

    @property
    def offers(self) -> str:
        """The ways to log in that the host named, in words."""
        return ", ".join(self._transport.connection.offers)

    def open_shell(self, seconds: float) -> None:
        """Log in and open the shell."""
        # With the user's profile: without it, %USERPROFILE% is that of the default user.
        self._shell = self._ask(
            lambda: self._protocol.open_shell(codepage=_UTF8, idle_timeout=_IDLE),
            seconds,
            answer=seconds,
        )

    def run(self, command: str, seconds: float) -> str:
        """Start a command; its id."""
        # By cmd.exe, as every WinRM client does that is proven in the field: without it a full path would be
        # needed, and since 2012 R2 Windows takes no notice. Input is bytes of a pipe, not keys of a console.
        return self._ask(
            lambda: self._protocol.run_command(
                self._shell, command, console_mode_stdin=False, skip_cmd_shell=False
            ),
            seconds,
        )

    def send(self, command_id: str, data: bytes, seconds: float, *, end: bool) -> None:
        """Write to a command's input; ``end`` closes it."""
        stream = {"@Name": "stdin", "@CommandId": command_id, "#text": _PLACE.decode()}
        if end:
            stream["@End"] = "true"

        def send() -> None:
            envelope = self._protocol.build_wsman_header(_SEND, _SHELL, self._shell)
            envelope["env:Body"] = {"rsp:Send": {"rsp:Stream": stream}}
            # Through xmltodict goes the frame alone: it would look at every character of the content.
            head, tail = xmltodict.unparse({"env:Envelope": envelope}).encode().split(_PLACE)
            whole = b"".join((head, base64.b64encode(data), tail))
            self._protocol.send_message(whole)  # type: ignore[arg-type] # it passes bytes on as they are

        self._ask(send, seconds)

    def receive(self, command_id: str, seconds: float) -> Received | None:
        """Wait for output or the end; None when neither came in time."""
        try:
            stdout, stderr, code, done = self._ask(
                lambda: self._protocol.get_command_output_raw(self._shell, command_id), seconds
            )
        except LateError:
            return None
        return Received(stdout=stdout, stderr=stderr, exit_code=code & 0xFFFFFFFF if done else None)

    def terminate(self, command_id: str, seconds: float) -> None:
        """Have the host end a command."""
        self._ask(lambda: self._protocol.cleanup_command(self._shell, command_id), seconds)

    def close(self, seconds: float) -> None:
        """End the shell, with all that runs in it, if the host answers in time; and the connection."""
        if self._lock.acquire(timeout=_BUSY_SECONDS):
            # One that waits for an answer for longer is left to the shell's idle timeout.
            self._lock.release()
            if self._shell and self.alive:
                with contextlib.suppress(WireError):
                    self._ask(
                        lambda: self._protocol.close_shell(self._shell, close_session=False),
                        seconds,
                        answer=seconds,
                    )
        self.drop("this side closed it")

    def drop(self, why: str) -> None:
        """End the connection, also under a request that waits on it."""
        self._why_lost = self._why_lost or why
        with contextlib.suppress(OSError):
            # Past TLS: the thread that reads must only find the end of its input.
            socket.socket.shutdown(self._link, socket.SHUT_RDWR)
        with self._lock:
            self._transport.connection.close()
            self._transport.close_session()

    def _ask(self, request: Callable[[], T], seconds: float, *, answer: float | None = None) -> T:
        """Make one request.

        Args:
            request: calls pywinrm.
            seconds: that the host is allowed for it.
            answer: seconds until the connection counts as lost; by the deadlines when None.

        Raises:
            WireError: it failed.
        """
        allowed = max(1, math.ceil(seconds))
        usual = max(self._deadlines.silence, allowed) + self._deadlines.answer
        wait = usual if answer is None else answer
        with self._lock:
            if self._why_lost:
                raise LostError(self._why_lost)
            self._protocol.operation_timeout_sec = allowed
            self._transport.read_timeout_sec = math.ceil(wait)
            try:
                return request()
            except WinRMOperationTimeoutError:
                raise LateError(f"not done within {allowed} s") from None
            except Exception as error:  # noqa: BLE001 - pywinrm lets out whatever an odd answer makes it trip over
                failed = read_error(error, wait)
        raise failed from None
