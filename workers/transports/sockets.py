"""Connected TCP sockets with deadlines, and the first line of an SSH server."""

import contextlib
import errno
import queue
import socket
import threading
import time
from typing import Any, Protocol

from config.causes import Cause
from workers.transports.base import Deadlines, TransportError
from workers.transports.endpoints import Endpoint, cleaned

GREETING = "SSH-2.0-longshore"
_MOST_BEFORE_GREETING = 8192
_AFTER_A_LINE = 2.0
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_REFUSED, _TIMEOUT, _UNREACHABLE = Cause.TCP_REFUSED, Cause.TCP_TIMEOUT, Cause.TCP_UNREACHABLE
_AT_ONCE = "accepted the connection and closed it at once"
_LIKELIEST_FIRST = (_REFUSED, Cause.PROTOCOL, _TIMEOUT, _UNREACHABLE)

AddressInfo = tuple[Any, Any, int, str, Any]


class Stream(Protocol):
    """What carries an SSH connection: a socket, or a channel of a proxy."""

    def recv(self, size: int, /) -> bytes:
        """At least one byte, or ``b""`` at the end."""

    def send(self, data: bytes, /) -> int:
        """Send some of the data; how much."""

    def settimeout(self, seconds: float | None, /) -> None:
        """Give up a wait after so many seconds, with TimeoutError."""

    def shutdown(self, how: int, /) -> None:
        """End both directions; wakes whoever waits on it."""

    def close(self) -> None:
        """Give it back."""


def resolve_address(endpoint: Endpoint, seconds: float) -> list[AddressInfo]:
    """All addresses of an endpoint, in the resolver's order.

    Raises:
        TransportError: the name is not known, or the resolver didn't answer in time.
    """
    with contextlib.suppress(socket.gaierror):
        return _lookup(endpoint, socket.AI_NUMERICHOST)
    # getaddrinfo has no deadline of its own, so a thread waits for it that nobody has to wait for.
    answers: queue.SimpleQueue[list[AddressInfo] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(_lookup(endpoint, 0))
        except OSError as error:
            answers.put(error)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise endpoint.error(Cause.DNS, f"the name was not resolved within {seconds:g} s") from None
    if isinstance(answer, OSError):
        raise endpoint.error(Cause.DNS, f"the name can't be resolved: {answer.strerror}") from None
    return answer


def _lookup(endpoint: Endpoint, flags: int) -> list[AddressInfo]:
    # A UnicodeError comes from a label that IDNA refuses: for people, a name that doesn't exist.
    try:
        return socket.getaddrinfo(endpoint.address, endpoint.port, 0, socket.SOCK_STREAM, 0, flags)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "not a valid name") from None


class TcpStream(socket.socket):
    """A TCP socket that can acknowledge at once what it has received."""

    def acknowledge(self) -> None:
        """Don't let the kernel wait for something to send along."""
        if _QUICKACK is not None:
            self.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


def connect(endpoint: Endpoint, addresses: list[AddressInfo], deadlines: Deadlines) -> TcpStream:
    """Connect to the first address that answers.

    Raises:
        TransportError: none did within the deadline.
    """
    end = time.monotonic() + deadlines.connect
    failures: dict[Cause, str] = {}
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        link = TcpStream(family, kind, protocol)
        try:
            # Each address gets its share, so that one that never answers leaves time for the next.
            share = max(0.05, (end - time.monotonic()) / (len(addresses) - position))
            link.settimeout(share)
            link.connect(address)
            _tune(link, deadlines)
        except OSError as error:
            link.close()
            cause, reason = _failure(error, share)
            failures.setdefault(cause, reason if len(addresses) == 1 else f"{address[0]} {reason}")
        else:
            return link
    cause = next(cause for cause in _LIKELIEST_FIRST if cause in failures)
    detail = "; ".join(failures.values())
    if cause is Cause.PROTOCOL:
        raise endpoint.unheard(detail, closed=True) from None
    raise endpoint.error(cause, detail) from None


def _failure(error: OSError, seconds: float) -> tuple[Cause, str]:
    if isinstance(error, ConnectionRefusedError):
        return _REFUSED, "connection refused"
    if isinstance(error, TimeoutError):
        return _TIMEOUT, f"no answer within {seconds:.3g} s"
    if error.errno == errno.ECONNRESET:
        # A port that takes no connection refuses it: this one was taken, and is gone before it was looked at.
        return Cause.PROTOCOL, _AT_ONCE
    return _UNREACHABLE, (error.strerror or "unreachable").lower()


def _tune(link: socket.socket, deadlines: Deadlines) -> None:
    """No delay for small packets; and the kernel itself notices a link that was cut silently."""
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    probes = 3
    for option, value in (
        ("TCP_KEEPIDLE", max(1, round(deadlines.silence))),
        ("TCP_KEEPINTVL", max(1, round(deadlines.answer / probes))),
        ("TCP_KEEPCNT", probes),
        ("TCP_USER_TIMEOUT", round((deadlines.silence + deadlines.answer) * 1000)),
    ):
        # Linux has them all; elsewhere the checks on the SSH level do the same, somewhat later.
        if hasattr(socket, option):
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def greet(stream: Stream, endpoint: Endpoint, seconds: float) -> tuple[str, bytes]:
    """Exchange the first lines of SSH.

    Returns:
        The server's line, and what came after it.

    Raises:
        TransportError: cause ``protocol``: it said nothing, closed, or is no SSH server.
    """
    end = time.monotonic() + seconds
    received = b""
    try:
        _send_greeting(stream)
        while True:
            version, rest = _version_line(received)
            if version is not None:
                return _checked(version, endpoint), rest
            if len(received) > _MOST_BEFORE_GREETING:
                raise endpoint.error(Cause.PROTOCOL, f"is no SSH server: it said {cleaned(received)!r}")
            # A line before the greeting is allowed, and then the greeting follows at once.
            wait = min(end - time.monotonic(), _AFTER_A_LINE if b"\n" in received else seconds)
            stream.settimeout(max(0.01, wait))
            chunk = stream.recv(1024)
            if not chunk:
                raise _closed(endpoint, received)
            received += chunk
    except TimeoutError:
        if received:
            raise endpoint.error(Cause.PROTOCOL, f"is no SSH server: it said {cleaned(received)!r}") from None
        silent = f"accepted the connection, but said nothing within {seconds:g} s"
        raise endpoint.unheard(silent, closed=False) from None
    except (OSError, EOFError):
        raise _closed(endpoint, received) from None


def _send_greeting(stream: Stream) -> None:
    # One that closed at once may have said why; that is read first, so a failed send is no news.
    with contextlib.suppress(ConnectionError, EOFError):
        stream.send(f"{GREETING}\r\n".encode())


def _closed(endpoint: Endpoint, received: bytes) -> TransportError:
    if received:
        detail = f"closed the connection after saying {cleaned(received)!r}"
        return endpoint.error(Cause.PROTOCOL, detail)
    return endpoint.unheard(_AT_ONCE, closed=True)


def _version_line(received: bytes) -> tuple[bytes | None, bytes]:
    """The line that names the server's version, and what follows; servers may say more before it."""
    lines = received.split(b"\n")
    for position, line in enumerate(lines[:-1]):
        if line.startswith(b"SSH-"):
            return line.removesuffix(b"\r"), b"\n".join(lines[position + 1 :])
    return None, b""


def _checked(version: bytes, endpoint: Endpoint) -> str:
    if not version.startswith((b"SSH-2.0-", b"SSH-1.99-")) or not version.isascii():
        raise endpoint.error(Cause.PROTOCOL, f"speaks another version of SSH: {cleaned(version)!r}")
    return version.decode("ascii")
