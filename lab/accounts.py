"""Logins for real SSH servers: an account that exists for one lab alone, or the current user."""

import contextlib
import os
import pwd
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from config.fleet import Credential
from lab.keys import make_key
from lab.processes import processes_of
from lab.programs import find_program

_LOCK_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.01


def is_root() -> bool:
    """Whether accounts can be made, and other users served."""
    return os.geteuid() == 0


@dataclass(frozen=True, kw_only=True)
class Account:
    """A login that servers serve.

    Attributes:
        home: its home directory; empty at the start when the account is a temporary one.
        key_file: a private key that logs in.
        password: its password, or None where only keys log in.
    """

    user: str
    home: Path
    key_file: Path
    password: str | None = field(default=None, repr=False)

    @property
    def credential(self) -> Credential:
        """The login by key, as a fleet declares it."""
        return Credential(user=self.user, key_file=str(self.key_file))


@contextlib.contextmanager
def temporary_account(*, password: str | None = None) -> Iterator[Account]:
    """An account with ``/bin/sh`` and an empty home when root, the current user otherwise.

    Args:
        password: what logs in besides the key; only as root.
    """
    with tempfile.TemporaryDirectory(prefix="longshore-ssh-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        key_file = root / "id_ed25519"
        make_key(key_file)
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
            _end_processes_of(entry.pw_uid)
            _change_accounts("userdel", "--force", user)


def _change_accounts(*command: str) -> None:
    """Run useradd and its kin, which fail while another of them holds the password file's lock."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if "lock" not in done.stderr or time.monotonic() > deadline:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
        time.sleep(_POLL_SECONDS)


def _crypted(password: str) -> str:
    done = subprocess.run(
        [find_program("openssl"), "passwd", "-6", "-stdin"],
        input=password,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _end_processes_of(uid: int) -> None:
    """Kill what the account has left running; each by its process id."""
    for pid in processes_of(uid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
