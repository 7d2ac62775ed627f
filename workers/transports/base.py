"""The narrow face of a transport: a session on a host, and a command that is followed."""

from contextlib import AbstractContextManager
from typing import Protocol

from config.causes import Cause
from config.values import Seconds, Value


class Deadlines(Value):
    """Seconds after which each wait on the way to a host is given up.

    Attributes:
        resolve: name resolution.
        connect: the TCP connection, over all addresses of the name.
        banner: the first line of an SSH server.
        handshake: key exchange and host key, or TLS and the certificate.
        login: authentication; over WinRM each of its requests.
        place: a free channel of a proxy, when all of its ``max_channels`` are taken.
        channel: the proxy's connection to the host.
        silence: an open connection that has said nothing for this long is asked for a sign of life.
        answer: how long that sign, or room to write, may take before the connection counts as lost.
    """

    resolve: Seconds = 10.0
    connect: Seconds = 10.0
    banner: Seconds = 10.0
    handshake: Seconds = 15.0
    login: Seconds = 20.0
    place: Seconds = 600.0
    channel: Seconds = 15.0
    silence: Seconds = 15.0
    answer: Seconds = 15.0


class TransportError(Exception):
    """A host can't be reached or was lost; carries the cause that names the hop.

    Attributes:
        cause: the stable code.
        detail: one line of cleaned text for this very case: address, port, what the other side said.
        stage: the verification stage in which it happened (``dns``, ``tcp``, ``proxy_login``, ...).
        observed_key: for host key causes, the key that the host showed, as ``type base64``.
        proxy: name of the proxy that is at fault; empty where none is.
        lost: a connection stood, and was closed or cut; another one may well stand.
    """

    lost: bool = False

    def __init__(
        self, cause: Cause, detail: str, *, stage: str = "", observed_key: str | None = None, proxy: str = ""
    ) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail
        self.stage = stage
        self.observed_key = observed_key
        self.proxy = proxy


class UnheardError(TransportError):
    """A connection stood, but the other side never said anything on it: closed it, or was silent too long."""


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


class StageClock(Protocol):
    """Times the stages of a connection; ``workers.transports.stages`` has those that exist."""

    def __call__(self, name: str, *, note: str = "") -> AbstractContextManager[None]:
        """A context that times the stage ``name``; ``note`` is told to people beside it."""
