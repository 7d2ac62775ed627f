"""Proof that one SSH connection to a proxy, shared by many threads, survives hosts that die in mid-upload.

Each run opens one connection to a proxy and uploads to all hosts through it; every third host is killed in
the middle. With ``--plain`` the same load goes over paramiko as it comes, for comparison: there a thread's
CLOSE can overtake another's DATA (paramiko#1115), and OpenSSH ends the connection of all. Counts the runs in
which the connection to the proxy was lost.

    python -m bench.proxy_proof --hosts 1000 --runs 20
    python -m bench.proxy_proof --hosts 50 --runs 20 --plain
"""

import argparse
import contextlib
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator

import paramiko

from bench.storm import COMMAND, Reach, StormReport, storm
from bench.storm_reach import longshore
from lab.accounts import temporary_account
from lab.sshd import Sshd, SshdFactory, running_servers
from workers.routes import Tunnels
from workers.transports.base import Deadlines


class _PlainUpload:
    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._output = channel.makefile("rb")

    def first_line(self) -> bytes:
        return bytes(self._output.readline())

    def send(self, data: bytes) -> None:
        self._channel.sendall(data)

    def finish(self) -> bytes:
        self._channel.shutdown_write()
        return bytes(self._output.read())


def plain_transport(server: Sshd, link: "socket.socket | paramiko.Channel") -> paramiko.Transport:
    """A logged-in transport of paramiko as it comes, but for the socket's options and the key exchange."""
    transport = paramiko.Transport(link)
    transport.get_security_options().kex = ("curve25519-sha256@libssh.org",)
    try:
        transport.start_client(timeout=60)
        key = paramiko.Ed25519Key.from_private_key_file(str(server.account.key_file))
        transport.auth_publickey(server.account.user, key)
    except BaseException:
        transport.close()
        raise
    return transport


def plain(shared: paramiko.Transport) -> Reach:
    """Through a shared connection of paramiko's own."""

    @contextlib.contextmanager
    def reach(server: Sshd, address: str) -> Iterator[_PlainUpload]:
        where = (address, server.port)
        link = shared.open_channel("direct-tcpip", where, ("127.0.0.1", 0), timeout=60)
        transport = plain_transport(server, link)
        try:
            channel = transport.open_session(timeout=60)
            channel.settimeout(60)
            channel.exec_command(COMMAND)
            yield _PlainUpload(channel)
        finally:
            transport.close()

    return reach


def one_run(server: Sshd, proxy: Sshd, arguments: argparse.Namespace) -> tuple[StormReport, bool]:
    """One storm over a new connection to the proxy, and whether that connection was lost."""
    shape = {"hosts": arguments.hosts, "at_once": arguments.at_once, "killed_of": arguments.killed_of}
    before = proxy.logins()
    if not arguments.plain:
        tunnels = Tunnels(Deadlines())
        report = storm(server, longshore(tunnels, proxy.hop()), **shape)
        tunnels.close()
        return report, proxy.logins() != before + 1
    link = socket.create_connection((proxy.address, proxy.port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    shared = plain_transport(proxy, link)
    report = storm(server, plain(shared), **shape)
    lost = not shared.is_active()
    shared.close()
    return report, lost


def main() -> int:
    """Run the storms, print a line for each and the count; exit code 1 when Longshore lost a connection."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--killed-of", type=int, default=3, help="kill one host of so many; 0: none")
    parser.add_argument("--plain", action="store_true", help="paramiko as it comes")
    arguments = parser.parse_args()
    lost = 0
    with temporary_account() as account, running_servers(account) as make:
        server, proxy = _servers(make)
        for number in range(1, arguments.runs + 1):
            start = time.monotonic()
            report, broke = one_run(server, proxy, arguments)
            lost += broke
            took = time.monotonic() - start
            verdict = "PROXY CONNECTION LOST" if broke else "ok"
            ends = ", ".join(f"{end} {count}" for end, count in sorted(report.ends.items()))
            rate = arguments.hosts / took
            print(f"run {number:3}: {verdict}; {ends}; {took:.1f} s, {rate:.0f} hosts/s", flush=True)
        complaints = Counter(
            line.split(":")[0] for line in proxy.log().splitlines() if "nonexistent channel" in line
        )
    what = "paramiko as it comes" if arguments.plain else "Longshore"
    print(f"{what}: {lost} of {arguments.runs} runs lost the connection to the proxy")
    print(f"sshd on the proxy ended a connection for a packet to a nonexistent channel: {complaints.total()}")
    return int(bool(lost) and not arguments.plain)


def _servers(make: SshdFactory) -> tuple[Sshd, Sshd]:
    return make(), make()


if __name__ == "__main__":
    sys.exit(main())
