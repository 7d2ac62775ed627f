"""``python -m lab.winrm``: stand-in Windows hosts in a process of their own."""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lab.windows.machine import WindowsMachine
from lab.winrm import PASSWORD_VARIABLE
from lab.winrm.certificates import CertificateAuthority
from lab.winrm.host import WinrmHost
from lab.winrm.server import WinrmServer


def main() -> int:
    """Serve until SIGTERM or SIGINT.

    A line of JSON says the addresses, and one at the end and at every SIGUSR1 what each host was asked.
    """
    parser = _parser()
    arguments = parser.parse_args()
    password = os.environ.get(PASSWORD_VARIABLE)
    if not password:
        parser.error(f"${PASSWORD_VARIABLE} is not set")
    if arguments.log is not None:
        logging.basicConfig(filename=arguments.log, format="%(message)s", level=logging.INFO)
    awaited = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)  # before there are threads, which then do so too
    authority = CertificateAuthority(arguments.certificates or arguments.directory / "certificates")
    hosts = {}
    for name, _, address in (each.partition("=") for each in arguments.host):
        machine = WindowsMachine(name, arguments.directory / name, passwords={arguments.user: password})
        hosts[address] = WinrmHost(machine, certificate=authority.issue(name, names=(address,)))
    with ExitStack() as servers:
        server = servers.enter_context(WinrmServer(hosts, port=arguments.port, tls=not arguments.http))
        if arguments.http_port is not None:
            servers.enter_context(WinrmServer(hosts, port=arguments.http_port))
        _say(
            port=server.port,
            user=arguments.user,
            ca_file=str(authority.path),
            hosts={
                host.machine.name: {"address": address, "drive": str(host.machine.drive)}
                for address, host in hosts.items()
            },
        )
        while signal.sigwait(awaited) == signal.SIGUSR1:
            _say_requests(hosts.values())
    _say_requests(hosts.values())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.winrm",
        description=main.__doc__,
        epilog=f"${PASSWORD_VARIABLE} is the login's password.",
    )
    parser.add_argument("--directory", type=Path, required=True, help="for drives and certificates")
    parser.add_argument(
        "--certificates", type=Path, help="folder of the authority, which others may share; default: its own"
    )
    parser.add_argument("--host", action="append", required=True, metavar="NAME=ADDRESS")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--http", action="store_true", help="HTTP in place of HTTPS")
    parser.add_argument("--http-port", type=int, help="HTTP too, on this port")
    parser.add_argument("--user", default="deploy")
    parser.add_argument("--log", type=Path, help="gets a line per request: the host, the client, the verb")
    return parser


def _say_requests(hosts: Iterable[WinrmHost]) -> None:
    _say(requests={host.machine.name: dict(host.requests) for host in hosts})


def _say(**report: Any) -> None:
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
