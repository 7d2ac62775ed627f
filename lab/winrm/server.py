"""The listener: one address or all of loopback, one machine behind each."""

import contextlib
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lab.winrm.certificates import Certificate
from lab.winrm.connection import Connection
from lab.winrm.host import WinrmHost

_HANDSHAKE_SECONDS: Final = 10.0
_BACKLOG: Final = 512


class WinrmServer:
    """WinRM on one port, for any number of machines that differ by their address.

    ``with WinrmServer({"127.0.0.1": WinrmHost(machine)}) as server: ...`` serves HTTP on ``server.port``.
    Two servers with the same hosts are one service with two listeners.

    Attributes:
        port: where it listens.
        hosts: by the address that clients connect to; machines may be added at any time.
    """

    def __init__(self, hosts: Mapping[str, WinrmHost], *, port: int = 0, tls: bool = False) -> None:
        """Listen; nothing is answered before the ``with`` block.

        Args:
            hosts: by address. With one it listens there alone, else on every address of this machine.
            port: 0 takes a free one.
            tls: HTTPS, with each host's certificate, in place of HTTP.
        """
        self.hosts = dict(hosts)
        self._tls = tls
        self._stopped = threading.Event()
        self._links: dict[socket.socket, str] = {}
        self._lock = threading.Lock()
        address = next(iter(hosts)) if len(hosts) == 1 else "0.0.0.0"  # noqa: S104 - the lab's own addresses
        self._listener = socket.create_server((address, port), backlog=_BACKLOG)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True, name=f"WinRM on {self.port}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def requests(self) -> Counter[str]:
        """How many requests came, by verb, to all of its hosts."""
        return sum((each.requests for each in list(self.hosts.values())), Counter())

    def drop(self, address: str | None = None) -> None:
        """Cut the connections to one address, or all."""
        with self._lock:
            links = [link for link, local in self._links.items() if address in {None, local}]
        for link in links:
            _cut(link)

    def stop(self) -> None:
        """End the service: its connections, and its shells with their processes."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.drop()
        for host in list(self.hosts.values()):
            host.shells.forget()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            local = str(link.getsockname()[0])
            host = self.hosts.get(local)
            if host is None:
                link.close()
                continue
            threading.Thread(
                target=self._serve, args=(link, host, local), daemon=True, name="WinRM client"
            ).start()

    def _serve(self, link: socket.socket, host: WinrmHost, local: str) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A connection that breaks, at whatever moment and on whichever side, just ends.
        with link, contextlib.suppress(OSError, ValueError), self._known(link, local):
            if not self._tls:
                Connection(link, host, self._stopped, tls=False).serve()
                return
            with _secured(link, host) as secure, self._known(secure, local):
                Connection(secure, host, self._stopped, tls=True).serve()

    @contextlib.contextmanager
    def _known(self, link: socket.socket, local: str) -> Iterator[None]:
        with self._lock:
            self._links[link] = local
        try:
            yield
        finally:
            with self._lock:
                del self._links[link]


def _secured(link: socket.socket, host: WinrmHost) -> ssl.SSLSocket:
    if host.certificate is None:
        raise OSError("a host without a certificate was asked for TLS")
    context = _context(host.certificate, host.configuration.client_authority)
    link.settimeout(_HANDSHAKE_SECONDS)
    secure = context.wrap_socket(link, server_side=True)
    secure.settimeout(None)
    return secure


def _context(certificate: Certificate, client_authority: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path, certificate.key_path)
    if client_authority is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(client_authority)
    return context


def _cut(link: socket.socket) -> None:
    # Not SSLSocket's own, which takes away from under the other thread what it is reading with.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(link, socket.SHUT_RDWR)
