"""One client's connection: request by request, to its end."""

import logging
import socket
import threading
from typing import BinaryIO, Final

from lab.winrm import faults, sealing, service, soap
from lab.winrm.host import WinrmHost
from lab.winrm.http import BadRequestError, HttpRequest, read_head, response
from lab.winrm.login import Login, peer_certificate

logger = logging.getLogger(__name__)
_SOAP: Final = "application/soap+xml;charset=UTF-8"
_PATHS: Final = frozenset({"/wsman", "/wsman/", "/wsman-anon/identify"})


class _Drop(Exception):  # noqa: N818 - a decision, no error
    """The connection ends here, without an answer."""


class Connection:
    """Serves one connection."""

    def __init__(self, link: socket.socket, host: WinrmHost, stopped: threading.Event, *, tls: bool) -> None:
        """Not served yet.

        Args:
            link: the connection, over TLS where it is.
            host: the machine that was connected to.
            stopped: set when the server ends.
            tls: whether the connection is over TLS.

        Raises:
            OSError: the client is gone already.
        """
        self._link = link
        self._client = str(link.getpeername()[0])
        self._host = host
        self._stopped = stopped
        self._tls = tls
        self._login = Login(host, peer_certificate(link), tls=tls)
        self._served = 0

    def serve(self) -> None:
        """Answer requests until either side ends it."""
        with self._link.makefile("rb") as stream:
            try:
                while self._serve_one(stream):
                    pass
            except _Drop:
                return
            except BadRequestError as error:
                self._link.sendall(response(error.status, close=True))

    def _serve_one(self, stream: BinaryIO) -> bool:
        trouble = self._host.trouble
        self._link.settimeout(trouble.idle_seconds)
        head = read_head(stream)
        if head is None:
            return False
        self._link.settimeout(None)
        body = stream.read(head.length)
        if len(body) < head.length:
            return False
        if trouble.requests_per_connection is not None and self._served >= trouble.requests_per_connection:
            return False
        self._served += 1
        trouble.delay()
        verb, answer = self._answer(head, body)
        self._host.count(verb, len(body), len(answer))
        logger.info("%s %s %s", self._host.machine.name, self._client, verb)
        if trouble.drops_unanswered(verb):
            return False
        self._link.sendall(answer)
        return True

    def _answer(self, head: HttpRequest, body: bytes) -> tuple[str, bytes]:
        if head.path.lower() not in _PATHS:
            return "Stray", response(404)
        if head.method != "POST":
            return "Stray", response(405)
        if head.header("wsmanidentify").lower() == "unauthenticated":
            return "Identify", _plain(200, service.identity(_read(body), known=False))
        verdict = self._login.judge(head.header("authorization"))
        if not verdict.user:
            return "Login", response(401, challenges=verdict.headers)
        if not body:
            return "Login", response(200, challenges=verdict.headers)
        return self._asked(verdict.user, head, body, verdict.headers)

    def _asked(
        self, user: str, head: HttpRequest, body: bytes, challenges: tuple[str, ...]
    ) -> tuple[str, bytes]:
        context = self._login.context if sealing.is_sealed(head.header("content-type")) else None
        if context is None and not self._tls and not self._host.configuration.allow_unencrypted:
            # Windows gives no reason either; its event log does.
            return "Unencrypted", response(500)
        try:
            message = body if context is None else sealing.unseal(context, body)
        except sealing.UnsealableError:
            return "Login", response(400, close=True)
        request = _read(message)
        status, envelope = self._carried_out(user, request, len(message))
        if context is None:
            return request.verb, response(status, envelope, content_type=_SOAP, challenges=challenges)
        sealed = sealing.seal(context, envelope)
        return request.verb, response(
            status, sealed, content_type=sealing.content_type(context), challenges=challenges
        )

    def _carried_out(self, user: str, request: soap.Request, size: int) -> tuple[int, bytes]:
        host = self._host
        if host.trouble.drops_unread(request.verb):
            raise _Drop
        if host.trouble.hold(request.verb, self._stopped):
            raise _Drop
        try:
            if size > host.configuration.most_bytes:
                raise faults.envelope_too_big(host.configuration.most_bytes)
            return 200, service.carry_out(host, user, request)
        except faults.Fault as fault:
            return 500, fault.envelope(request, host.machine.name)


def _read(message: bytes) -> soap.Request:
    try:
        return soap.read(message)
    except soap.MalformedError as error:
        raise BadRequestError(400) from error


def _plain(status: int, envelope: bytes) -> bytes:
    return response(status, envelope, content_type=_SOAP)
