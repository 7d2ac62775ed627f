"""A server on the way: a proxy or the host itself, and the causes that name it."""

import re
from dataclasses import dataclass

from config.causes import Cause
from config.fleet import Credential
from workers.transports.base import TransportError, UnheardError

_AT_A_PROXY = {
    Cause.DNS: Cause.PROXY_DNS,
    Cause.TCP_REFUSED: Cause.PROXY_TCP_REFUSED,
    Cause.TCP_TIMEOUT: Cause.PROXY_TCP_TIMEOUT,
    Cause.TCP_UNREACHABLE: Cause.PROXY_TCP_UNREACHABLE,
    Cause.PROTOCOL: Cause.PROXY_PROTOCOL,
    Cause.AUTH: Cause.PROXY_AUTH,
    Cause.HOST_KEY_UNKNOWN: Cause.PROXY_HOST_KEY_UNKNOWN,
    Cause.HOST_KEY_CHANGED: Cause.PROXY_HOST_KEY_CHANGED,
    Cause.CONNECTION_LOST: Cause.PROXY_LOST,
}
_UNPRINTABLE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[^\x20-\x7e]+")
_LONGEST_QUOTE = 120


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a server is, who logs in, and which keys prove that it is the right one.

    Attributes:
        keys: accepted public keys, ``type base64``; empty where none is known.
        is_proxy: a proxy on the way, not the host itself.
        through: the forwarded port that is connected to instead, in words; empty where there is none.
    """

    name: str
    address: str
    port: int
    credential: Credential
    keys: tuple[str, ...] = ()
    is_proxy: bool = False
    through: str = ""

    @property
    def place(self) -> str:
        """The endpoint as people read it: ``proxy bastion (203.0.113.10 port 22)``."""
        through = f" through {self.through}" if self.through else ""
        return f"{'proxy ' if self.is_proxy else ''}{self.name} ({self.address} port {self.port}{through})"

    def error(
        self, cause: Cause, detail: str, *, observed_key: str | None = None, lost: bool = False
    ) -> TransportError:
        """An error at this endpoint, with the cause that says whether a proxy or the host failed.

        Args:
            cause: as it is named when the host fails.
            detail: what happened, to follow the endpoint's name.
            observed_key: the key that it showed.
            lost: a connection stood, and was closed or cut; always so with the cause of that name.
        """
        proxy = self.name if self.is_proxy else ""
        detail = f"{self.place}: {detail}"
        error = TransportError(self._cause(cause), detail, observed_key=observed_key, proxy=proxy)
        error.lost = lost or cause is Cause.CONNECTION_LOST
        return error

    def unheard(self, detail: str, *, closed: bool) -> UnheardError:
        """An error at this endpoint, which took the connection and then said nothing at all.

        Args:
            detail: what happened, to follow the endpoint's name.
            closed: it closed the connection.
        """
        proxy = self.name if self.is_proxy else ""
        error = UnheardError(self._cause(Cause.PROTOCOL), f"{self.place}: {detail}", proxy=proxy)
        error.lost = closed
        return error

    def _cause(self, cause: Cause) -> Cause:
        return _AT_A_PROXY.get(cause, cause) if self.is_proxy else cause


def cleaned(text: str | bytes, longest: int = _LONGEST_QUOTE) -> str:
    """What another program said, safe to show: one line of printable characters, not too long."""
    if isinstance(text, bytes):
        text = text.decode("ascii", errors="replace")
    text = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return text if len(text) <= longest else text[: longest - 3] + "..."
