"""Stand-in hosts: SSH servers on loopback, many in one process, that really run what they are told.

A host is an address of 127.0.0.0/8 with a port of its own, and a directory that is the home of whoever
logs in. It is a stand-in, not a cage: its commands run as this user on this machine.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from hmac import compare_digest
from pathlib import Path
from typing import cast

import asyncssh
from asyncssh.forward import SSHForwarder

from lab.keys import public_text
from lab.processes import ProcessTable
from lab.ssh_session import CommandSession

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class StandInHost:
    """What a stand-in host is made from.

    Attributes:
        name: what people call it; also its ``HOSTNAME``.
        address: an address of 127.0.0.0/8.
        home: the directory that its commands start in.
        host_key: path of its own private key.
        user: the one login that it knows.
        authorized_key: public key that opens the door, as ``type base64``.
        password: word that opens it too.
        peers: addresses from which it takes connections; empty means any.
        forwards_from: for a proxy, the address from which it connects on behalf of others. A proxy
            forwards and does nothing else: no command can be run on it.
        search_path: the ``PATH`` of its commands.
    """

    name: str
    address: str
    home: Path
    host_key: Path
    user: str
    authorized_key: str | None = None
    password: str | None = field(default=None, repr=False)
    peers: frozenset[str] = frozenset()
    forwards_from: str | None = None
    search_path: str = SYSTEM_PATH


class SshHosts:
    """Stand-in hosts that listen; each on a free port of its address."""

    def __init__(self, processes: ProcessTable) -> None:
        self._processes = processes
        self._acceptors: list[asyncssh.SSHAcceptor] = []

    async def start(self, hosts: Iterable[StandInHost]) -> dict[str, int]:
        """Let ``hosts`` listen; returns the port of each, by name."""
        return {host.name: await self._start(host) for host in hosts}

    async def stop(self) -> None:
        """Close every connection and listen no more; processes are the table's business."""
        for acceptor in self._acceptors:
            acceptor.close()
        await asyncio.gather(*(acceptor.wait_closed() for acceptor in self._acceptors))
        self._acceptors.clear()

    async def _start(self, host: StandInHost) -> int:
        acceptor = await asyncssh.listen(
            host.address,
            0,
            server_factory=lambda: _Server(host, self._processes),
            server_host_keys=[str(host.host_key)],
            encoding=None,
            allow_pty=False,
            agent_forwarding=False,
            login_timeout=30,
            # curve25519 under both of its names: the post-quantum exchange costs clients ten times the time.
            kex_algs=["curve25519-sha256", "curve25519-sha256@libssh.org"],
        )
        self._acceptors.append(acceptor)
        return acceptor.get_port()


class _Server(asyncssh.SSHServer):
    """One connection to a stand-in host."""

    def __init__(self, host: StandInHost, processes: ProcessTable) -> None:
        self._host = host
        self._processes = processes
        self._route = ""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        peer, peer_port = conn.get_extra_info("peername")[:2]
        local, local_port = conn.get_extra_info("sockname")[:2]
        self._route = f"{peer} {peer_port} {local} {local_port}"
        if self._host.peers and peer not in self._host.peers:
            # Loopback has no firewall: a reset before the first byte is the nearest thing to one.
            conn.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            conn.abort()

    def begin_auth(self, username: str) -> bool:
        del username
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == self._host.user and public_text(key) == self._host.authorized_key

    def password_auth_supported(self) -> bool:
        return self._host.password is not None

    def validate_password(self, username: str, password: str) -> bool:
        expected = self._host.password
        return username == self._host.user and expected is not None and compare_digest(expected, password)

    def session_requested(self) -> CommandSession | bool:
        if self._host.forwards_from is not None:
            return False
        environment = {
            "HOME": str(self._host.home),
            "PATH": self._host.search_path,
            "USER": self._host.user,
            "LOGNAME": self._host.user,
            "SHELL": "/bin/sh",
            "HOSTNAME": self._host.name,
            "SSH_CONNECTION": self._route,
        }
        return CommandSession(self._processes, home=self._host.home, environment=environment)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Awaitable[asyncssh.SSHTCPSession[bytes]] | bool:
        del orig_host, orig_port
        source = self._host.forwards_from
        return False if source is None else _forward(source, dest_host, dest_port)


async def _forward(source: str, host: str, port: int) -> asyncssh.SSHTCPSession[bytes]:
    try:
        _, onward = await asyncio.get_running_loop().create_connection(
            SSHForwarder, host, port, local_addr=(source, 0)
        )
    except OSError as error:
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(error)) from None
    # The library forwards with this very class, which its types don't count among the sessions.
    return cast("asyncssh.SSHTCPSession[bytes]", SSHForwarder(onward))
