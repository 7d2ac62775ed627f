"""The SSH servers: one that answers as every host, one that is the proxy."""

import os
import shutil
import socket
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench import namespace, processes

PROXY_ADDRESS = "127.2.0.1"
PROXY_PORT = 2200
HOST_PORT = 22

# One server stands for all hosts, but each must have a home of its own, as hosts do. The server's
# address tells which; the command runs in the same shell, so that it costs no second one.
_HOME_OF_ADDRESS = 'set -- $SSH_CONNECTION; HOME={hosts}/$3; cd; set --; eval "$SSH_ORIGINAL_COMMAND"'

# sshd takes the first value that it finds for a setting.
_CONFIG = """\
{more}
ListenAddress {listen}
Port {port}
HostKey {key}
PidFile none
UsePAM no
UseDNS no
LogLevel QUIET
PrintMotd no
PrintLastLog no
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile {authorized}
StrictModes no
MaxStartups 2000
MaxSessions 100
AllowUsers {user}
"""


@dataclass(frozen=True, kw_only=True)
class SshServer:
    """A running sshd.

    Attributes:
        process: its listener, which also collects what its sessions leave behind.
        public_key: its host key, ``type base64``.
    """

    process: int
    public_key: str

    def cpu(self) -> float:
        """CPU seconds of the server and of all that ran on its hosts."""
        return processes.cpu_of_tree(self.process)

    def sessions(self) -> int:
        """How many processes work for its clients."""
        return len(processes.tree(self.process)) - 1


def host_address(index: int) -> str:
    """The loopback address of a host."""
    return f"127.1.{index // 250}.{index % 250 + 1}"


def make_client_key() -> Path:
    """An ed25519 key pair without a passphrase; the user accepts it."""
    path = namespace.RUN / "client_key"
    make_key(path)
    return path


def start_hosts(count: int, *, more: str = "") -> SshServer:
    """Start the server that answers as hosts 0 to ``count - 1``, each with an empty home."""
    homes = namespace.RUN / "hosts"
    homes.mkdir()
    for index in range(count):
        home = homes / host_address(index)
        home.mkdir()
        os.chown(home, namespace.USER_ID, namespace.USER_ID)
    command = _HOME_OF_ADDRESS.format(hosts=homes)
    return start("hosts", "0.0.0.0", HOST_PORT, f"DisableForwarding yes\nForceCommand {command}\n{more}")  # noqa: S104 - in a namespace without links


def start_proxy() -> SshServer:
    """Start the proxy, whose user can do nothing but open connections to hosts."""
    more = f"PermitOpen *:{HOST_PORT}\nForceCommand /bin/false\nPermitTTY no"
    return start("proxy", PROXY_ADDRESS, PROXY_PORT, more)


def empty_homes() -> None:
    """Take away what runs have left in the hosts' homes."""
    for home in (namespace.RUN / "hosts").iterdir():
        for entry in home.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def make_key(path: Path, kind: str = "ed25519") -> None:
    """An SSH key pair; RSA keys get OpenSSH's default length."""
    # The comment matters: paramiko 5.1 can't read every other ECDSA key that has none.
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "bench", "-f", str(path)], check=True, timeout=20
    )


def start(name: str, listen: str, port: int, more: str, *, key_kind: str = "ed25519") -> SshServer:
    """Start an sshd with settings of its own.

    Args:
        name: for its files.
        listen: address.
        port: TCP port.
        more: lines of configuration that come before the common ones, and so win.
        key_kind: its host key's.
    """
    key = namespace.RUN / f"{name}_host_key"
    make_key(key, key_kind)
    config = namespace.RUN / f"{name}_sshd_config"
    authorized = namespace.RUN / "client_key.pub"
    text = _CONFIG.format(
        listen=listen, port=port, key=key, authorized=authorized, user=namespace.USER, more=more
    )
    config.write_text(text, encoding="utf-8")
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    process = subprocess.Popen(
        [program, "-D", "-f", str(config)],
        stdin=subprocess.DEVNULL,
        preexec_fn=processes.keep_orphans,  # noqa: PLW1509 - no threads run yet
    )
    namespace.wait_for(f"sshd ({name})", lambda: _answers(listen, port), 10)
    public = key.with_suffix(".pub").read_text(encoding="ascii").split()
    return SshServer(process=process.pid, public_key=f"{public[0]} {public[1]}")


def _answers(listen: str, port: int) -> bool:
    try:
        with closing(socket.create_connection((listen, port), timeout=1)) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
