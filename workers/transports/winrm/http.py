"""pywinrm's HTTP over one connection that stands already: never another, and no proxy from outside."""

import socket
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import NewConnectionError
from winrm.transport import Transport


class _Connection(HTTPConnection):
    """A connection over whatever socket it is given."""

    def __init__(self, *args: Any, take: Callable[[], socket.socket | None], **options: Any) -> None:
        super().__init__(*args, **options)
        self._take = take

    def _new_conn(self) -> socket.socket:
        link = self._take()
        if link is None:
            raise NewConnectionError(self, "the host closed the connection")
        return link


class _Pool(HTTPConnectionPool):
    # For https too: what is handed over speaks TLS already.
    ConnectionCls = _Connection


class OneConnection(HTTPAdapter):
    """Sends every request over one socket, which it owns.

    A login belongs to the connection, and so do the keys of message encryption. So when the connection is
    gone, the session is: a second connection is never made, and no request is ever sent twice.

    Attributes:
        answers: how many responses came.
        offers: the ways to log in that the host last named.
    """

    def __init__(self, link: socket.socket) -> None:
        super().__init__(max_retries=0)
        self._link: socket.socket | None = link
        self._pool = _Pool("winrm", maxsize=1, block=True, take=self._take)
        self.answers = 0
        self.offers: tuple[str, ...] = ()

    def _take(self) -> socket.socket | None:
        link, self._link = self._link, None
        return link

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        """The one pool, whatever is asked for."""
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Nothing: certificates were checked before the first request."""

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """As requests does; takes notes for messages."""
        response = super().build_response(req, resp)
        self.answers += 1
        offers = response.headers.get("WWW-Authenticate", "")
        # One per header line, joined by requests; a token or realm may follow the name.
        self.offers = tuple(each.split()[0] for each in offers.split(",") if each.strip()) or self.offers
        return response

    def close(self) -> None:
        """Close the socket."""
        super().close()
        self._pool.close()
        link = self._take()
        if link is not None:
            link.close()


class OneConnectionTransport(Transport):
    """pywinrm's transport on a OneConnection."""

    def __init__(self, link: socket.socket, **options: Any) -> None:
        super().__init__(**options)
        self.connection = OneConnection(link)

    def build_session(self) -> requests.Session:
        """The session, on the one connection."""
        fresh = self.session is None
        session = super().build_session()
        if fresh:
            self._mount(session)
        return session

    def setup_encryption(self, session: requests.Session) -> None:
        """As pywinrm, which sends its first requests in here, while the session is being built."""
        self._mount(session)
        super().setup_encryption(session)

    def _mount(self, session: requests.Session) -> None:
        session.trust_env = False
        session.max_redirects = 0
        session.mount("https://", self.connection)
        session.mount("http://", self.connection)
