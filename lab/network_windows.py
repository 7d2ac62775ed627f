"""Stand-in Windows hosts in namespaces, and the relay of the Windows proxy in front of some."""

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

from lab.namespaces import wait_for_word
from lab.network_plan import WINDOWS_PROXY, WINRM_HTTP_PORT, WINRM_HTTPS_PORT, Forward, NetworkPlan, Node
from lab.winrm import PASSWORD_VARIABLE
from lab.winrm.certificates import CertificateAuthority

WINDOWS_USER: Final = "deploy"


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowsHost:
    """One running host.

    Attributes:
        drive: the folder that plays its drive C:.
        log: a line for each request: the host, the client's address, the verb.
        certificate: what it shows to those who speak TLS.
    """

    drive: Path
    log: Path
    certificate: Path


class Starter(Protocol):
    """Starts a command on a machine, as a topology does."""

    def __call__(
        self,
        node: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdout: int | IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """The process."""


class NetworkWindows:
    """What of a topology is Windows.

    Attributes:
        hosts: what is known of each that runs, by name.
        password: of the login on all of them, whose name is ``WINDOWS_USER``.
    """

    def __init__(self, plan: NetworkPlan, directory: Path, popen: Starter) -> None:
        """Nothing is started yet.

        Args:
            plan: who stands where.
            directory: for drives, certificates and logs.
            popen: starts what runs; somebody else ends it.
        """
        self.hosts: dict[str, WindowsHost] = {}
        self.password = secrets.token_urlsafe(24)
        self._plan = plan
        self._directory = directory
        self._popen = popen
        self._starting: dict[str, subprocess.Popen[bytes]] = {}
        self._relay: subprocess.Popen[bytes] | None = None

    @property
    def ca_file(self) -> Path:
        """The authority that signs the hosts' certificates."""
        return self._certificates / "authority.pem"

    @property
    def _certificates(self) -> Path:
        return self._directory / "certificates"

    def start(self) -> None:
        """Start everything at once; ``wait`` waits until it answers."""
        nodes = self._plan.with_winrm
        if nodes:
            CertificateAuthority(self._certificates)
        environment = {**os.environ, PASSWORD_VARIABLE: self.password}
        for node in nodes:
            self.hosts[node.name] = WindowsHost(
                drive=self._directory / node.name / "C",
                log=self._directory / f"{node.name}.log",
                certificate=self._certificates / f"{node.name}.pem",
            )
            self._starting[node.name] = self._popen(
                node.name, self._command(node), env=environment, stdout=subprocess.PIPE
            )

    def wait(self) -> None:
        """Wait until all hosts answer, and the ports of the proxy too.

        Raises:
            NamespaceError: one ended.
        """
        if WINDOWS_PROXY in self._plan.nodes:
            self.start_relay(self._plan.forwards)
        for name, process in self._starting.items():
            wait_for_word(process, name)
        self._starting.clear()

    def _command(self, node: Node) -> list[str]:
        files = ["--directory", str(self._directory), "--certificates", str(self._certificates)]
        ports = ["--port", str(WINRM_HTTPS_PORT), "--http-port", str(WINRM_HTTP_PORT)]
        host = ["--host", f"{node.name}={node.address}", "--user", WINDOWS_USER]
        log = ["--log", str(self.hosts[node.name].log)]
        return [sys.executable, "-m", "lab.winrm", *files, *ports, *host, *log]

    def start_relay(self, forwards: Sequence[Forward]) -> None:
        """Have the proxy forward these ports, and wait until it listens on them.

        Raises:
            NamespaceError: it can't.
        """
        nodes = self._plan.nodes
        relays = [f"--relay={each.port}={nodes[each.host].address}:{each.target_port}" for each in forwards]
        address = ["--address", nodes[WINDOWS_PROXY].address]
        command = [sys.executable, "-m", "lab.windows.portproxy", *address, *relays]
        self._relay = self._popen(WINDOWS_PROXY, command, stdout=subprocess.PIPE)
        wait_for_word(self._relay, f"the relay of {WINDOWS_PROXY}")

    def kill_relay(self) -> None:
        """Have the proxy forward nothing any more; the connections that it relays are cut."""
        if self._relay is not None:
            self._relay.kill()
            self._relay.wait()
