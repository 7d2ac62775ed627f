"""What goes wrong when a host is asked something over WinRM, and pywinrm's errors read as that."""

import ssl
from collections.abc import Iterator
from http.client import BadStatusLine, RemoteDisconnected

from requests import RequestException, Timeout, TooManyRedirects
from winrm.exceptions import AuthenticationError, WinRMError, WinRMTransportError, WSManFaultError

from workers.transports.endpoints import cleaned
from workers.transports.winrm.extras import NO_TICKET, REFUSED, UNPROVEN_HOST, kerberos_reason

ACCESS_DENIED = 5
_FORBIDDEN = 403
_LONGEST_REASON = 300


class WireError(Exception):
    """A request failed; the text says how."""


class FaultError(WireError):
    """The host answered that it doesn't do it; nothing is wrong with the connection.

    Attributes:
        code: of the WS-Management fault, 0 where it names none.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class UnclearError(WireError):
    """The host failed to answer, and did not say why; what was asked may have been done."""


class LateError(WireError):
    """The host answered that it wasn't done in time."""


class DeniedError(WireError):
    """The host refused the login."""


class TicketError(WireError):
    """Kerberos on this machine has no ticket for the host; nothing was sent."""


class ForeignError(WireError):
    """The answer isn't WinRM's."""


class LostError(WireError):
    """The connection is gone, or no answer came; what was asked may have been done.

    Attributes:
        silent: the answer did not come in time; else the connection ended.
    """

    def __init__(self, text: str, *, silent: bool = False) -> None:
        super().__init__(text)
        self.silent = silent


def read_error(error: Exception, seconds: float) -> WireError:
    """What an error that came out of pywinrm means.

    Args:
        error: raised by a call into pywinrm.
        seconds: how long the answer was waited for.
    """
    if isinstance(error, WSManFaultError):
        return FaultError(_code(error), _fault_text(error))
    login = _failed_login(error)
    if login is not None:
        return login
    if isinstance(error, WinRMTransportError):
        return _answered(error.code)
    if isinstance(error, TooManyRedirects):
        return ForeignError("is no WinRM service: it redirects elsewhere")
    if isinstance(error, RequestException | OSError):
        return _unanswered(error, seconds)
    kind = "" if isinstance(error, WinRMError) else f"{type(error).__name__}: "
    return ForeignError(f"its answer can't be understood: {kind}{cleaned(str(error))}")


def _failed_login(error: Exception) -> WireError | None:
    # Asked first: some of these count as errors of requests, others are of no family at all.
    if isinstance(error, NO_TICKET):
        return TicketError(cleaned(kerberos_reason(error)))
    if isinstance(error, UNPROVEN_HOST):
        return DeniedError("the host did not prove who it is")
    if isinstance(error, (AuthenticationError, PermissionError, *REFUSED)):
        return DeniedError("the login was refused")
    return None


def _code(error: WSManFaultError) -> int:
    return error.wsman_fault_code or error.wmierror_code or 0


def _fault_text(error: WSManFaultError) -> str:
    reason = cleaned(error.reason or "", _LONGEST_REASON).rstrip(".")
    code = _code(error)
    return f"{reason} (fault {code})" if code else reason


def _answered(status: int) -> WireError:
    if status == _FORBIDDEN:
        return DeniedError(f"it answered with HTTP {status}")
    if status >= 500:  # noqa: PLR2004 - HTTP's own errors of a server
        likely = "a host does so when it wants messages encrypted, or is overloaded"
        return UnclearError(f"it answered with HTTP {status} and no reason; {likely}")
    return ForeignError(f"is no WinRM service: it answered with HTTP {status}")


def _unanswered(error: Exception, seconds: float) -> WireError:
    causes = list(_chain(error))
    if any(isinstance(each, Timeout | TimeoutError) for each in causes):
        return LostError(f"no answer within {seconds:g} s", silent=True)
    for each in causes:
        if isinstance(each, ssl.SSLError) and "ALERT" in (each.reason or ""):
            # From TLS 1.3 on, a client's certificate is looked at only after the handshake.
            return DeniedError(f"the host ended TLS: {each.reason.lower().replace('_', ' ')}")
        if isinstance(each, BadStatusLine) and not isinstance(each, RemoteDisconnected):
            return ForeignError(f"is no WinRM service: it said {cleaned(str(each))!r}")
    ends = (each for each in causes if isinstance(each, ConnectionError) and each.strerror)
    reason = next((str(each.strerror).lower() for each in ends), "the host closed the connection")
    return LostError(reason)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
