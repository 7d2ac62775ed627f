"""What SSH settings cost, on the client's side and on sshd's: the figures behind docs/decisions/0002.

``python -m bench.explore_ssh`` (root), apart from the bench: nobody must reach anything here.
"""

import argparse
import os
import socket
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import median

import paramiko
from rich.console import Console
from rich.table import Table

from bench import namespace, servers
from lab.keys import KeyKind, make_key

_KEY_KINDS: tuple[KeyKind, ...] = ("ed25519", "rsa", "ecdsa")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to set client and server.

    Attributes:
        name: for the table.
        server: a setting of sshd's configuration and its value; None where it is as ever.
        host_key: kind of the server's key.
        client_key: kind of the user's key.
        kex: the only key exchange offered; None for paramiko's own list.
        cipher: the only cipher offered.
        mac: the only MAC offered.
        no_delay: whether the socket has TCP_NODELAY.
        compress: whether compression is offered.
    """

    name: str
    server: tuple[str, str] | None = None
    host_key: KeyKind = "ed25519"
    client_key: KeyKind = "ed25519"
    kex: str | None = None
    cipher: str | None = None
    mac: str | None = None
    no_delay: bool = True
    compress: bool = False


_BASE = Variant(name="paramiko's defaults, TCP_NODELAY")
_NIST = "ecdh-sha2-nistp256"
VARIANTS = (
    _BASE,
    replace(_BASE, name="without TCP_NODELAY", no_delay=False),
    replace(_BASE, name="aes128-gcm", cipher="aes128-gcm@openssh.com"),
    replace(_BASE, name="aes128-ctr, sha2-256-etm", cipher="aes128-ctr", mac="hmac-sha2-256-etm@openssh.com"),
    replace(_BASE, name="compression", compress=True),
    replace(_BASE, name="kex curve25519", kex="curve25519-sha256@libssh.org"),
    replace(_BASE, name="kex nistp256", kex=_NIST),
    replace(_BASE, name="kex nistp384", kex="ecdh-sha2-nistp384"),
    replace(_BASE, name="kex dh-group14", kex="diffie-hellman-group14-sha256"),
    replace(_BASE, name="user's key rsa 3072", client_key="rsa"),
    replace(_BASE, name="user's key ecdsa 256", client_key="ecdsa"),
    replace(_BASE, name="host key rsa 3072", host_key="rsa"),
    replace(_BASE, name="host key ecdsa 256", host_key="ecdsa"),
    replace(_BASE, name="nistp256, host ecdsa, user ecdsa", kex=_NIST, host_key="ecdsa", client_key="ecdsa"),
    replace(_BASE, name="nistp256, aes128-gcm", kex=_NIST, cipher="aes128-gcm@openssh.com"),
    replace(_BASE, name="sshd: UseDNS yes", server=("UseDNS", "yes")),
    replace(_BASE, name="sshd: UsePAM yes", server=("UsePAM", "yes")),
    replace(_BASE, name="sshd: Compression no", server=("Compression", "no")),
    replace(_BASE, name="sshd: LogLevel INFO", server=("LogLevel", "INFO")),
)


def _connect_and_run(variant: Variant, address: tuple[str, int], key: paramiko.PKey) -> None:
    connection = socket.create_connection(address, timeout=30)
    if variant.no_delay:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(connection)
    options = transport.get_security_options()
    if variant.kex:
        options.kex = [variant.kex]
    if variant.cipher:
        options.ciphers = [variant.cipher]
    if variant.mac:
        options.digests = [variant.mac]
    transport.use_compression(variant.compress)
    try:
        transport.start_client(timeout=30)
        transport.auth_publickey(namespace.USER, key)
        channel = transport.open_session(timeout=30)
        channel.exec_command("true")
        if channel.recv_exit_status() != 0:
            raise RuntimeError(f"{variant.name}: the command failed")
    finally:
        transport.close()


@dataclass(frozen=True, kw_only=True)
class _Figures:
    rate: float
    client: float
    host: float


class _Bench:
    """The servers, one for each set of settings, and the keys."""

    def __init__(self, variants: Sequence[Variant]) -> None:
        path = servers.make_client_key()
        files = {kind: path.with_name(f"client_{kind}") for kind in _KEY_KINDS}
        accepted = tuple(make_key(file, kind) for kind, file in files.items())
        self._keys = {kind: paramiko.PKey.from_path(file) for kind, file in files.items()}
        self._servers: dict[tuple[tuple[str, str] | None, KeyKind], servers.SshServer] = {}
        for variant in variants:
            settings = (variant.server, variant.host_key)
            if settings not in self._servers:
                port = 3000 + len(self._servers)
                own = dict([variant.server] if variant.server else [])
                server = servers.SshServer(f"s{port}", port, own, authorized_keys=accepted)
                server.new_host_key(variant.host_key)
                server.start()
                self._servers[settings] = server

    def measure(self, variant: Variant, count: int, threads: ThreadPoolExecutor) -> _Figures:
        server = self._servers[variant.server, variant.host_key]
        address, key = (server.address, server.port), self._keys[variant.client_key]
        cpu, host, began = time.process_time(), server.cpu_at_rest(), time.monotonic()
        list(threads.map(lambda _: _connect_and_run(variant, address, key), range(count)))
        took, cpu = time.monotonic() - began, time.process_time() - cpu
        host = server.cpu_at_rest() - host
        return _Figures(rate=count / took, client=1000 * cpu / count, host=1000 * host / count)


def main() -> int:
    """Measure every variant in turns, and print medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.explore_ssh", description=__doc__)
    parser.add_argument("--connects", type=int, default=50, help="in each round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--at-once", type=int, default=25, help="(%(default)s)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    if not asked.inside:
        return namespace.enter("bench.explore_ssh", sys.argv[1:], 900)
    namespace.furnish()
    bench = _Bench(VARIANTS)
    seen: dict[Variant, list[_Figures]] = {variant: [] for variant in VARIANTS}
    with ThreadPoolExecutor(asked.at_once) as threads:
        for _ in range(asked.rounds):
            for variant, figures in seen.items():
                figures.append(bench.measure(variant, asked.connects, threads))
    _show(seen)
    return 0


def _show(seen: dict[Variant, list[_Figures]]) -> None:
    table = Table()
    table.add_column("settings")
    for heading in ("connects/s", "client ms", "sshd ms"):
        table.add_column(heading, justify="right")
    for variant, figures in seen.items():
        middle = (
            median(f.rate for f in figures),
            median(f.client for f in figures),
            median(f.host for f in figures),
        )
        table.add_row(variant.name, *(f"{figure:.1f}" for figure in middle))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
