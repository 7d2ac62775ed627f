"""``python -m lab.winrm``: stand-in Windows hosts in a process of their own."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from lab.windows.machine import WindowsMachine
from lab.winrm.certificates import CertificateAuthority
from lab.winrm.host import WinrmHost
from lab.winrm.server import WinrmServer

_PASSWORD: Final = "LAB_WINDOWS_PASSWORD"  # noqa: S105 - the variable's name


def main() -> int:
    """Serve until SIGTERM or SIGINT.

    A line of JSON says the addresses, and one at the end and at every SIGUSR1 what each host was asked.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.winrm", description=main.__doc__, epilog=f"${_PASSWORD} is the login's password."
    )
    parser.add_argument("--directory", type=Path, required=True, help="for drives and certificates")
    parser.add_argument("--host", action="append", required=True, metavar="NAME=ADDRESS")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--http", action="store_true", help="HTTP in place of HTTPS")
    parser.add_argument("--user", default="deploy")
    arguments = parser.parse_args()
    password = os.environ.get(_PASSWORD)
    if not password:
        parser.error(f"${_PASSWORD} is not set")
    awaited = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)  # before there are threads, which then do so too
    authority = CertificateAuthority(arguments.directory / "certificates")
    hosts = {}
    for name, _, address in (each.partition("=") for each in arguments.host):
        machine = WindowsMachine(name, arguments.directory / name, passwords={arguments.user: password})
        hosts[address] = WinrmHost(machine, certificate=authority.issue(name, names=(address,)))
    with WinrmServer(hosts, port=arguments.port, tls=not arguments.http) as server:
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


def _say_requests(hosts: Iterable[WinrmHost]) -> None:
    _say(requests={host.machine.name: dict(host.requests) for host in hosts})


def _say(**report: Any) -> None:
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
