"""Real sshd in namespaces: one login on this machine, another home on every host."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.keys import make_key
from lab.namespaces import STATE, inside, tool, wait_for_listener
from lab.programs import find_program
from lab.sshd_files import write_sshd_files

_PORT = 22


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkSshd:
    """One running sshd.

    Attributes:
        host_key: its public host key, as ``type base64``.
        home: what is the login's home on this host, as seen from outside.
        log: sshd's own log.
    """

    host_key: str
    home: Path
    log: Path


def make_login(prefix: str) -> str:
    """Make the instance's login; returns the public key that it takes.

    The login is named like the instance and has no password, a plain shell and nothing to start it with.
    """
    mount_point = home_of(prefix)
    mount_point.mkdir(mode=0o755)
    tool(["useradd", "--no-create-home", "--home-dir", str(mount_point), "--shell", "/bin/sh", prefix])
    # "!" would lock it, and sshd refuses locked logins their keys too; "*" only means: no password.
    tool(["usermod", "--password", "*", prefix])
    return make_key(key_file(prefix))


def home_of(prefix: str) -> Path:
    """The login's home, as it is itself told; each host mounts its own directory there."""
    return STATE / prefix / "home"


def key_file(prefix: str) -> Path:
    """The private key to the login."""
    return STATE / prefix / "keys" / "deploy"


def start_sshd(
    prefix: str, name: str, namespace: str, *, authorized_key: str, forward_only: bool
) -> tuple[NetworkSshd, subprocess.Popen[bytes]]:
    """Start an sshd in ``namespace`` and wait until it listens.

    Args:
        prefix: the instance.
        name: the host's.
        namespace: where it listens, on port 22.
        authorized_key: public key that opens the door.
        forward_only: as a proxy does: connections are passed on, and no command runs.
    """
    state = STATE / prefix / "hosts" / name
    home = state / "home"
    home.mkdir(parents=True)
    tool(["chown", f"{prefix}:", str(home)])
    home.chmod(0o700)
    host_key = write_sshd_files(state, authorized_key=authorized_key, forward_only=forward_only)
    for directory in (state, state.parent):
        directory.chmod(0o711)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    sshd = NetworkSshd(host_key=host_key, home=home, log=state / "sshd.log")
    # The mount lives in the namespace of this one command: no other process ever sees it.
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    program = [find_program("sshd"), "-D", "-E", str(sshd.log), "-f", str(state / "sshd_config")]
    process = subprocess.Popen(
        inside(namespace, ["sh", "-c", script, "sh", str(home), str(home_of(prefix)), *program]),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for_listener(process, _PORT, f"sshd of {name} (log: {sshd.log})")
    return sshd, process
