"""The narrow face of a transport: a session on a host, and a command that is followed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from config.causes import Cause


class TransportError(Exception):
    """A host can't be reached or was lost; carries the cause that names the hop.

    Attributes:
        cause: the stable code.
        detail: one line of cleaned text for this very case: address, port, what the other side said.
        stage: the verification stage in which it happened (``dns``, ``tcp``, ``proxy_login``, ...).
        observed_key: for host key causes, the key that the host showed, as ``type base64``.
    """

    def __init__(
        self, cause: Cause, detail: str, *, stage: str = "", observed_key: str | None = None
    ) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail
        self.stage = stage
        self.observed_key = observed_key


class Follow(Protocol):
    """One command under way on a host, and its output."""

    def read(self, timeout: float) -> bytes | None:
        """Next bytes of standard output: ``b""`` at its end, None when nothing came in ``timeout`` seconds.

        Raises:
            TransportError: the connection was lost.
        """

    def write(self, data: bytes, timeout: float) -> None:
        """Write all of ``data`` to the command's standard input within ``timeout`` seconds."""

    def end_input(self) -> None:
        """Close the command's standard input."""

    def errors(self) -> bytes:
        """Standard error so far, bounded (its head is kept)."""

    def exit_status(self, timeout: float) -> int | None:
        """The exit code, or None when it hasn't come within ``timeout`` seconds; 128+N for a signal."""

    def close(self) -> None:
        """Give the channel back; safe to call twice, and from any thread."""


class Session(Protocol):
    """An authenticated connection to a host; several commands can be under way on it."""

    def start(self, command: str, *, stdin: bytes = b"", timeout: float = 15.0) -> Follow:
        """Start ``command`` on the host, write ``stdin`` to it and leave its input open.

        Raises:
            TransportError: the connection was lost, or no channel could be opened in ``timeout`` seconds.
        """

    def is_alive(self) -> bool:
        """Whether the connection still answers, as far as is known without waiting."""

    def close(self) -> None:
        """End the connection."""


StageClock = Callable[[str], AbstractContextManager[None]]
"""Called with a stage's name, gives a context that times it; see ``workers.transports.stages``."""
