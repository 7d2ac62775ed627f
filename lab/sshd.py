"""Real OpenSSH servers on loopback, which can be killed and started again.

A server listens on all of 127.0.0.0/8 and on ::1, so that each loopback address is a host of its own.
"""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from config.fleet import Credential
from config.targets import HostTarget, ProxyHop, RouteKind
from lab.accounts import Account, is_root
from lab.keys import KeyKind, make_key
from lab.processes import become_subreaper, descendants
from lab.programs import find_program
from lab.sshd_files import sshd_config
from lab.tcp import free_port, sockets_of

_START_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.01
_LISTEN: Final = "ListenAddress 0.0.0.0\nListenAddress ::1\n"
_SETTINGS: Final = {
    "StrictModes": "no",
    "MaxStartups": "4096",
    "MaxSessions": "256",
    "Subsystem": "sftp internal-sftp",
}


class Sshd:
    """One OpenSSH server; it runs from ``start`` to ``kill``.

    Attributes:
        address: 127.0.0.1; every other address of 127.0.0.0/8 and ::1 reach it as well.
        port: the same over all restarts.
        account: the login that it serves.
        host_key: its public key, ``type base64``.
        folder: where its configuration, keys and log are.
    """

    address = "127.0.0.1"

    def __init__(
        self,
        account: Account,
        folder: Path,
        *,
        port: int | None = None,
        options: dict[str, str] | None = None,
        authorized_keys: tuple[str, ...] = (),
        keeps_orphans: bool = False,
    ) -> None:
        """Write its files; it doesn't run yet.

        Args:
            account: the login that it serves.
            folder: an empty directory.
            port: where it listens; a free port when absent.
            options: settings of its configuration that differ from a lab server's.
            authorized_keys: public keys that log in besides the account's own.
            keeps_orphans: whether what outlives a session becomes the server's child; else it is out of
                the server's reach, and goes on when the sessions are killed.
        """
        self.account = account
        self.folder = folder
        self.port = port or free_port()
        self._options = options or {}
        self._keeps_orphans = keeps_orphans
        self._process: subprocess.Popen[bytes] | None = None
        folder.chmod(0o755)
        self.new_host_key()
        (folder / "authorized_keys").write_text(
            "\n".join((account.key_file.with_suffix(".pub").read_text().strip(), *authorized_keys)) + "\n"
        )

    def new_host_key(self, kind: KeyKind = "ed25519") -> None:
        """Give the server another identity, from its next start on."""
        self.host_key = make_key(self.folder / "host_key", kind)

    def authorize(self, public_key: str) -> None:
        """Let one more public key log in, at once."""
        with (self.folder / "authorized_keys").open("a") as keys:
            keys.write(public_key.strip() + "\n")

    def _configuration(self) -> str:
        password = {"PasswordAuthentication": "yes" if self.account.password else "no"}
        return _LISTEN + sshd_config(self.folder, self.port, _SETTINGS | password | self._options)

    def start(self) -> None:
        """Start it, and return when it accepts connections.

        Raises:
            FileNotFoundError: OpenSSH's server is not installed.
            RuntimeError: it doesn't run.
        """
        if is_root():
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        configuration = self.folder / "sshd_config"
        configuration.write_text(self._configuration())
        before = len(self.log())
        self._process = subprocess.Popen(
            [find_program("sshd"), "-D", "-f", str(configuration), "-E", str(self.folder / "log")],
            stdin=subprocess.DEVNULL,
            preexec_fn=become_subreaper if self._keeps_orphans else None,  # noqa: PLW1509 - it is one system call
        )
        deadline = time.monotonic() + _START_SECONDS
        while not any(each.listening and each.port == self.port for each in sockets_of(self.pid)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"sshd did not start: {self.log()[before:]}")
            time.sleep(_POLL_SECONDS)

    @property
    def pid(self) -> int:
        """Process id of the listening server; each session has a child of it."""
        assert self._process is not None  # noqa: S101 - asked for before `start`
        return self._process.pid

    def log(self) -> str:
        """Everything that the server has logged, over all its starts."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def logins(self) -> int:
        """How many logins it has accepted, over all its starts."""
        return len(re.findall(r"^Accepted \w+ for ", self.log(), re.MULTILINE))

    def kill_sessions(self, address: str | None = None) -> int:
        """Kill the server's sessions with SIGKILL, as a host that dies; the server goes on listening.

        Args:
            address: only sessions that came in at this IPv4 address of the server.

        Returns:
            How many processes were killed.
        """
        killed = 0
        for pid in descendants(self.pid):
            if address is None or self._serves(pid, address):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
        return killed

    def _serves(self, pid: int, address: str) -> bool:
        return any(each.address == address and each.port == self.port for each in sockets_of(pid))

    def kill(self) -> None:
        """Kill the server and all its sessions with SIGKILL: it has nothing to save."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        # Stopped first, it can't start a session between the look and the kill.
        process.send_signal(signal.SIGSTOP)
        self.kill_sessions()
        process.kill()
        process.wait()

    def restart(self) -> None:
        """Kill it and start it again on the same port."""
        self.kill()
        self.start()

    def target(
        self,
        name: str = "web-1",
        *,
        address: str | None = None,
        via: tuple[ProxyHop, ...] = (),
        credential: Credential | None = None,
    ) -> HostTarget:
        """This server as a deployment's host."""
        route: RouteKind = "jump" if via else "direct"
        return HostTarget(
            name=name,
            cluster="web",
            os="linux",
            pool="official",
            address=address or self.address,
            port=self.port,
            credential=credential or self.account.credential,
            route=route,
            hops=via,
            host_key=(self.host_key,),
        )

    def hop(
        self, name: str = "bastion", *, max_channels: int = 64, via: Credential | None = None
    ) -> ProxyHop:
        """This server as a proxy."""
        return ProxyHop(
            name=name,
            address=self.address,
            port=self.port,
            credential=via or self.account.credential,
            host_key=(self.host_key,),
            max_channels=max_channels,
        )


SshdFactory = Callable[..., Sshd]


@contextlib.contextmanager
def running_servers(account: Account) -> Iterator[SshdFactory]:
    """A factory of servers that all end with the context; it takes what ``Sshd`` takes, and ``start``."""
    with tempfile.TemporaryDirectory(prefix="longshore-sshd-") as folder:
        servers: list[Sshd] = []

        def make(
            *,
            options: dict[str, str] | None = None,
            authorized_keys: tuple[str, ...] = (),
            keeps_orphans: bool = False,
            start: bool = True,
            served: Account = account,
        ) -> Sshd:
            place = Path(folder, str(len(servers)))
            place.mkdir()
            server = Sshd(
                served,
                place,
                options=options,
                authorized_keys=authorized_keys,
                keeps_orphans=keeps_orphans,
            )
            servers.append(server)
            if start:
                server.start()
            return server

        Path(folder).chmod(0o755)
        try:
            yield make
        finally:
            for server in servers:
                server.kill()
