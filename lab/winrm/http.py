"""HTTP/1.1 as far as WinRM's clients use it: requests with a length, and answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

_LONGEST_LINE: Final = 64 * 1024
_MOST_HEADERS: Final = 100
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Request Entity Too Large",
    500: "Internal Server Error",
}


class BadRequestError(Exception):
    """What came is no request that is understood.

    Attributes:
        status: to answer it with.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(_REASONS[status])


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request's head; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]

    def header(self, name: str) -> str:
        """A header's value; empty without one."""
        return self.headers.get(name, "")

    @property
    def length(self) -> int:
        """Of its body, in bytes.

        Raises:
            BadRequestError: it says none, or nonsense.
        """
        given = self.headers.get("content-length")
        if given is None or not given.isdecimal():
            raise BadRequestError(411 if given is None else 400)
        return int(given)


def read_head(stream: BinaryIO) -> HttpRequest | None:
    """The next request's head; None at the connection's end.

    Raises:
        BadRequestError: it is none.
    """
    line = stream.readline(_LONGEST_LINE)
    if not line:
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or words[2] != "HTTP/1.1":  # noqa: PLR2004 - method, path, version
        raise BadRequestError(400)
    headers: dict[str, str] = {}
    while (line := stream.readline(_LONGEST_LINE)) not in {b"\r\n", b"\n"}:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or len(headers) == _MOST_HEADERS:
            raise BadRequestError(400)
        headers[name.strip().lower()] = value.strip()
    return HttpRequest(words[0], words[1], headers)


def response(
    status: int,
    body: bytes = b"",
    *,
    content_type: str = "",
    challenges: tuple[str, ...] = (),
    close: bool = False,
) -> bytes:
    """An answer as it goes over the wire.

    Args:
        status: HTTP's number.
        body: what it carries.
        content_type: of that.
        challenges: values of ``WWW-Authenticate``, each in a header of its own.
        close: whether the connection ends after it.
    """
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}"]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"WWW-Authenticate: {each}" for each in challenges]
    lines += ["Server: Microsoft-HTTPAPI/2.0", f"Content-Length: {len(body)}"]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
