"""Real OpenSSH servers on loopback, for tests of everything that speaks SSH.

In a tier's ``conftest.py``::

    from tests.support.sshd import account, sshd, sshd_factory  # noqa: F401

``sshd`` is one running server; ``sshd_factory(...)`` starts more, a proxy among them. A server listens
on all of 127.0.0.0/8 and on ::1, so that each loopback address is a host of its own. As root every server
serves an account that exists for the tests alone, with ``/bin/sh`` and an empty home; else the current user.
"""

import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from config.fleet import Credential
from config.targets import HostTarget, ProxyHop, RouteKind

_START_SECONDS = 15.0
_POLL_SECONDS = 0.01


def is_root() -> bool:
    """Whether accounts can be made, and other users served."""
    return os.geteuid() == 0


def require(program: str) -> str:
    """Path of a program; without it the test skips, except in CI, where it fails."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    return path


def free_port() -> int:
    """A TCP port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a private key (``ed25519``, ``rsa``, ``ecdsa``) and its ``.pub`` beside it."""
    bits = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(
        [require("ssh-keygen"), "-q", "-t", kind, *bits, "-N", passphrase, "-C", "", "-f", str(path)],
        check=True,
    )
    return path


@dataclass(frozen=True, kw_only=True)
class Account:
    """A login that the servers serve.

    Attributes:
        home: its home directory; empty at the start when the account is the tests' own.
        key_file: a private key that logs in.
        password: its password, or None where only keys log in.
    """

    user: str
    home: Path
    key_file: Path
    password: str | None = None

    @property
    def credential(self) -> Credential:
        """The login by key, as a fleet declares it."""
        return Credential(user=self.user, key_file=str(self.key_file))


def _change_accounts(*command: str) -> None:
    """Run useradd and its kin, which fail while another of them holds the password file's lock."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if "lock" not in done.stderr or time.monotonic() > deadline:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
        time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def temporary_account(*, password: str | None = None) -> Iterator[Account]:
    """An account for the tests alone when root, the current user otherwise.

    Args:
        password: what logs in besides the key; only as root.
    """
    with tempfile.TemporaryDirectory(prefix="longshore-ssh-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        key_file = make_key(root / "id_ed25519")
        if not is_root():
            me = pwd.getpwuid(os.getuid())
            yield Account(user=me.pw_name, home=Path(me.pw_dir), key_file=key_file)
            return
        user = f"ls{secrets.token_hex(5)}"
        home = root / "home"
        _change_accounts("useradd", "--home-dir", str(home), "--no-create-home", "--shell", "/bin/sh", user)
        try:
            entry = pwd.getpwnam(user)
            home.mkdir(mode=0o755)
            os.chown(home, entry.pw_uid, entry.pw_gid)
            # "*" is no password at all; useradd's "!" would lock the account for keys as well.
            _change_accounts("usermod", "-p", _crypted(password) if password else "*", user)
            yield Account(user=user, home=home, key_file=key_file, password=password)
        finally:
            end_processes_of(entry.pw_uid)
            _change_accounts("userdel", "--force", user)


def _crypted(password: str) -> str:
    done = subprocess.run(
        [require("openssl"), "passwd", "-6", "-stdin"],
        input=password,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def end_processes_of(uid: int) -> None:
    """Kill what a test account left running; each by its process id."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == uid:
                process.kill()


class Sshd:
    """One OpenSSH server; it runs from ``start`` to ``stop``, and can be killed and started again.

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
        options: dict[str, str] | None = None,
        authorized_keys: tuple[str, ...] = (),
    ) -> None:
        self.account = account
        self.folder = folder
        self.port = free_port()
        self._options = options or {}
        self._process: subprocess.Popen[bytes] | None = None
        folder.chmod(0o755)
        self.new_host_key()
        (folder / "authorized_keys").write_text(
            "\n".join((account.key_file.with_suffix(".pub").read_text().strip(), *authorized_keys)) + "\n"
        )

    def new_host_key(self, kind: str = "ed25519") -> None:
        """Give the server another identity, from its next start on."""
        for old in self.folder.glob("host_key*"):
            old.unlink()
        make_key(self.folder / "host_key", kind)
        self.host_key = " ".join((self.folder / "host_key.pub").read_text().split()[:2])

    def authorize(self, public_key: str) -> None:
        """Let one more public key log in, at once."""
        with (self.folder / "authorized_keys").open("a") as keys:
            keys.write(public_key.strip() + "\n")

    def _configuration(self) -> str:
        settings = {
            "HostKey": str(self.folder / "host_key"),
            "AuthorizedKeysFile": str(self.folder / "authorized_keys"),
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",
            "PasswordAuthentication": "yes" if self.account.password else "no",
            "KbdInteractiveAuthentication": "no",
            "MaxStartups": "4096",
            "MaxSessions": "256",
            "UseDNS": "no",
            "PrintMotd": "no",
            "PrintLastLog": "no",
            "LogLevel": "VERBOSE",
            "Subsystem": "sftp internal-sftp",
        } | self._options
        listen = f"Port {self.port}\nListenAddress 0.0.0.0\nListenAddress ::1\n"
        return listen + "".join(f"{name} {value}\n" for name, value in settings.items())

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        if is_root():
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        (self.folder / "sshd_config").write_text(self._configuration())
        before = len(self.log())
        command = [
            require("sshd"),
            "-D",
            "-f",
            str(self.folder / "sshd_config"),
            "-E",
            str(self.folder / "log"),
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_SECONDS
        while "Server listening on 0.0.0.0" not in self.log()[before:]:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"sshd did not start: {self.log()[before:]}")
            time.sleep(_POLL_SECONDS)

    @property
    def pid(self) -> int:
        """Process id of the listening server; each session has a child of it."""
        assert self._process is not None
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
            address: only sessions that came in at this address of the server.

        Returns:
            How many processes were killed.
        """
        killed = 0
        for process in psutil.Process(self.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if address is None or _serves(process, address, self.port):
                    process.kill()
                    killed += 1
        return killed

    def kill(self) -> None:
        """Kill the server and all its sessions with SIGKILL."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        # Stopped first, it can't start a session between the look and the kill.
        process.send_signal(signal.SIGSTOP)
        self.kill_sessions()
        process.kill()
        process.wait()

    def stop(self) -> None:
        """The same as ``kill``: a test server has nothing to save."""
        self.kill()

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
        """This server as a deployment's host; it has no host key until a test gives one."""
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


def _serves(process: psutil.Process, address: str, port: int) -> bool:
    return any(
        link.laddr and link.laddr.ip == address and link.laddr.port == port
        for link in process.net_connections(kind="tcp")
    )


SshdFactory = Callable[..., Sshd]


@contextlib.contextmanager
def running_servers(account: Account) -> Iterator[SshdFactory]:
    """A factory of servers that all end with the context; for benches and other fixtures too."""
    with tempfile.TemporaryDirectory(prefix="longshore-sshd-") as folder:
        servers: list[Sshd] = []

        def make(
            *,
            options: dict[str, str] | None = None,
            authorized_keys: tuple[str, ...] = (),
            start: bool = True,
            served: Account = account,
        ) -> Sshd:
            place = Path(folder, str(len(servers)))
            place.mkdir()
            server = Sshd(served, place, options=options, authorized_keys=authorized_keys)
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


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """The login of all servers of this test run."""
    require("sshd")
    with temporary_account() as made:
        yield made


@pytest.fixture
def sshd_factory(account: Account) -> Iterator[SshdFactory]:
    """Starts servers: ``sshd_factory(options={"AllowTcpForwarding": "no"})``; they end with the test."""
    with running_servers(account) as make:
        yield make


@pytest.fixture
def sshd(sshd_factory: SshdFactory) -> Sshd:
    """One running server."""
    return sshd_factory()
