"""The WinRM protocol lab for tests: one machine behind both listeners, and clients that others wrote."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import winrm
from pypsrp.wsman import WSMan
from winrm.protocol import Protocol

from lab.windows.processes import Process, Program
from lab.winrm.certificates import CertificateAuthority
from lab.winrm.host import WinrmHost
from lab.winrm.server import WinrmServer

USER, PASSWORD = "Administrator", "Tr0ub4dor-and-3"
ADDRESS = "127.0.0.1"


@dataclass
class Bench:
    """A host, its listeners, and who signed its certificate."""

    host: WinrmHost
    http: WinrmServer
    https: WinrmServer
    authority: CertificateAuthority
    folder: Path

    def url(self, scheme: str) -> str:
        """Where the host is asked."""
        port = self.http.port if scheme == "http" else self.https.port
        return f"{scheme}://{ADDRESS}:{port}/wsman"

    def pywinrm(self, scheme: str = "http", password: str = PASSWORD, **options: Any) -> winrm.Session:
        """pywinrm's session."""
        return winrm.Session(self.url(scheme), auth=(USER, password), **(self._options(scheme) | options))

    def protocol(self, scheme: str = "http", password: str = PASSWORD, **options: Any) -> Protocol:
        """pywinrm's protocol."""
        settings = {"username": USER, "password": password} | self._options(scheme) | options
        return Protocol(self.url(scheme), **settings)

    def pypsrp(self, scheme: str = "http", **options: Any) -> WSMan:
        """pypsrp's connection."""
        port = self.http.port if scheme == "http" else self.https.port
        settings = {
            "port": port,
            "ssl": scheme == "https",
            "cert_validation": str(self.authority.path),
            "auth": "negotiate",
            "no_proxy": True,
            **options,
        }
        return WSMan(ADDRESS, username=USER, password=PASSWORD, **settings)

    def starts(self, name: str, program: Program) -> None:
        """Have the machine run ``program`` wherever a command line begins with ``name``."""
        start = self.host.machine.start

        def started(command_line: str, **options: Any) -> Process:
            line = command_line.removeprefix('cmd.exe /c "').removesuffix('"')
            if not line.startswith(name):
                return start(command_line, **options)
            return self.host.machine.launch(
                program,
                command_line=line,
                environment=options["environment"],
                directory=options["directory"] or "C:\\",
                parent=0,
            )

        self.host.machine.start = started  # type: ignore[method-assign]

    def _options(self, scheme: str) -> dict[str, Any]:
        return {
            "transport": "ntlm",
            "proxy": None,
            "ca_trust_path": str(self.authority.path),
            "message_encryption": "always" if scheme == "http" else "auto",
        }


def echo(process: Process) -> int:
    """Gives back what it is given, to its end."""
    while data := process.stdin.read(65_536):
        process.outputs.write("stdout", data)
    return 0


def sleeps(process: Process) -> int:
    """Runs until it is ended."""
    process.wait(3600)
    return 0


def prints(stdout: bytes, stderr: bytes = b"", code: int = 0) -> Callable[[Process], int]:
    """A program that prints this, and ends."""

    def program(process: Process) -> int:
        process.outputs.write("stdout", stdout)
        process.outputs.write("stderr", stderr)
        return code

    return program
