"""Helpers for tests that run commands over SSH."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.fleet import Credential
from config.targets import HostTarget
from lab.keys import make_key
from lab.sshd import Sshd
from workers.routes import Tunnels, open_session
from workers.transports.base import Deadlines, Follow, Session, TransportError
from workers.transports.ssh import SshSession

QUICK = Deadlines(
    resolve=5, connect=2, banner=1, handshake=5, login=5, place=5, channel=3, silence=1, answer=1
)
"""Short deadlines, so that tests of trouble end soon; long enough for a loaded machine to connect."""
PATIENT = Deadlines()


def stranger(sshd: Sshd, folder: Path) -> Credential:
    """The server's login, with a key that it doesn't know."""
    make_key(folder / "other")
    return Credential(user=sshd.account.user, key_file=str(folder / "other"))


def output(follow: Follow, timeout: float = 20.0) -> bytes:
    """Everything that a command prints, to its end."""
    end = time.monotonic() + timeout
    collected = bytearray()
    while True:
        data = follow.read(max(0.0, end - time.monotonic()))
        assert data is not None, f"no end of output within {timeout} s; so far: {bytes(collected[-200:])!r}"
        if not data:
            return bytes(collected)
        collected += data


def run(session: Session, command: str, stdin: bytes = b"") -> tuple[bytes, int | None]:
    """Output and exit code of a command."""
    follow = session.start(command, stdin=stdin)
    with contextlib.closing(follow):
        follow.end_input()
        return output(follow), follow.exit_status(10)


@contextlib.contextmanager
def connected(
    target: HostTarget, tunnels: Tunnels | None = None, deadlines: Deadlines = PATIENT
) -> Iterator[SshSession]:
    """A session on a host."""
    own = tunnels or Tunnels(deadlines)
    session, _ = open_session(target, {}, tunnels=own, deadlines=deadlines)
    try:
        yield session
    finally:
        session.close()
        if tunnels is None:
            own.close()


def failure(
    target: HostTarget, *, tunnels: Tunnels | None = None, deadlines: Deadlines = QUICK, **options: object
) -> TransportError:
    """The error of an attempt to reach a host that must not succeed."""
    own = tunnels or Tunnels(deadlines)
    try:
        with pytest.raises(TransportError) as caught:
            open_session(target, {}, tunnels=own, deadlines=deadlines, **options)  # type: ignore[arg-type]
    finally:
        if tunnels is None:
            own.close()
    return caught.value


def loss(follow: Follow) -> TransportError:
    """The error that a read ends with when the connection breaks."""
    with pytest.raises(TransportError) as caught:
        _read_on(follow)
    return caught.value


def _read_on(follow: Follow) -> None:
    while follow.read(20) is None:
        pass
