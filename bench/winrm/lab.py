"""The lab's Windows hosts in a process of their own, and the fleet files that name them."""

import json
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGUSR1
from typing import Any

from bench import files, processes
from bench.files import POOL
from bench.measure import Failure
from lab.winrm import PASSWORD_VARIABLE

_END_SECONDS = 20.0


def make_password() -> None:
    """Set the password of every host's login, for this process and all that it starts."""
    os.environ[PASSWORD_VARIABLE] = secrets.token_urlsafe(24)


def host_name(index: int) -> str:
    """The name of a host."""
    return f"desk-{index:04}"


def _address(name: str) -> str:
    index = int(name.rpartition("-")[2])
    return f"127.3.{index // 250}.{index % 250 + 1}"


@dataclass(frozen=True, kw_only=True)
class WindowsLab:
    """The hosts, each with an address of its own on one port.

    Attributes:
        tls: HTTPS, else HTTP with sealed messages.
        ca_file: of the authority that the hosts' certificates are from.
        user: who logs in.
    """

    port: int
    tls: bool
    ca_file: str
    user: str
    _process: "subprocess.Popen[str]" = field(repr=False)

    def requests(self) -> dict[str, Counter[str]]:
        """How many requests came so far, by host and verb."""
        self._process.send_signal(SIGUSR1)
        counts = _said(self._process)["requests"]
        return {name: Counter(verbs) for name, verbs in counts.items()}

    def cpu(self) -> float:
        """CPU seconds so far."""
        return processes.cpu_of_tree(self._process.pid)

    def addresses(self, count: int) -> list[str]:
        """The addresses of the first hosts."""
        return [_address(host_name(index)) for index in range(count)]

    def write_fleet(self, path: Path, indexes: Sequence[int]) -> None:
        """A fleet of one cluster, named as the file is, of these hosts."""
        names = [host_name(index) for index in indexes]
        cluster = {
            "os": "windows", "pool": POOL, "credential": "lab", "port": self.port, "winrm": self._settings(),
            "hosts": {name: _address(name) for name in names},
        }  # fmt: skip
        document = {
            "pools": {POOL: {"kind": "official"}},
            "credentials": {"lab": {"user": self.user, "password": {"env": PASSWORD_VARIABLE}}},
            "clusters": {path.stem: cluster},
        }
        files.write(path, document)

    def _settings(self) -> Mapping[str, str]:
        return {"ca_file": self.ca_file} if self.tls else {"scheme": "http"}


@contextmanager
def running_lab(folder: Path, count: int, *, tls: bool) -> Iterator[WindowsLab]:
    """Serve ``count`` hosts until the block ends.

    Args:
        folder: for their drives and certificates.
        count: of hosts.
        tls: HTTPS, else HTTP with sealed messages.

    Raises:
        Failure: the lab ended.
    """
    folder.mkdir()
    names = [host_name(index) for index in range(count)]
    command = [sys.executable, "-m", "lab.winrm", "--directory", str(folder)]
    command += [] if tls else ["--http"]
    command += [f"--host={name}={_address(name)}" for name in names]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            report = _said(process)
            yield WindowsLab(
                port=report["port"], tls=tls, ca_file=report["ca_file"], user=report["user"], _process=process
            )
        finally:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _said(process: "subprocess.Popen[str]") -> dict[str, Any]:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise Failure("the lab's Windows hosts have ended")
    found: dict[str, Any] = json.loads(line)
    return found
