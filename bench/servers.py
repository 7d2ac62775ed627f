"""The SSH servers: one answers as every host, one as the hosts that warm workers up, one is the proxy."""

import os
import shutil
from pathlib import Path

from bench import namespace, processes
from bench.measure import Failure
from lab.accounts import Account
from lab.keys import make_key
from lab.sshd import Sshd

PROXY_ADDRESS = "127.2.0.1"
PROXY_PORT = 2200
HOST_PORT = 22
WARM_PORT = 2222

_SETTINGS = {
    "AllowUsers": namespace.USER,
    "LogLevel": "QUIET",
    "MaxSessions": "100",
    "MaxStartups": "2000",
}
_REST_SECONDS = 20.0

# One server stands for all hosts, but each must have a home of its own, as hosts do. The server's
# address tells which; the command runs in the same shell, so that it costs no second one.
_HOME_OF_ADDRESS = 'set -- $SSH_CONNECTION; HOME={hosts}/$3; cd; set --; eval "$SSH_ORIGINAL_COMMAND"'


class SshServer(Sshd):
    """A running sshd, which also collects what its sessions leave behind: their time is the hosts' too."""

    def __init__(
        self, name: str, port: int, options: dict[str, str], *, authorized_keys: tuple[str, ...] = ()
    ) -> None:
        folder = namespace.RUN / f"sshd-{name}"
        folder.mkdir()
        account = Account(user=namespace.USER, home=namespace.RUN / "home", key_file=client_key())
        super().__init__(
            account,
            folder,
            port=port,
            options=_SETTINGS | options,
            authorized_keys=authorized_keys,
            keeps_orphans=True,
        )

    def cpu(self) -> float:
        """CPU seconds of the server and of all that ran on its hosts, as far as they are known."""
        return processes.cpu_of_tree(self.pid)

    def cpu_at_rest(self) -> float:
        """The same once nobody works for its clients, and then exactly.

        Of a process that lives, the kernel tells whole hundredths of a second, for itself and for its
        children apart; a session takes less than one of each, and so seems to take nothing. When it has
        ended, its time is in the server's sum to the last bit.

        Raises:
            Failure: someone still works for a client.
        """
        try:
            namespace.wait_for("the end of sessions", lambda: self.sessions() == 0, _REST_SECONDS)
        except TimeoutError as error:
            raise Failure(f"{self.sessions()} processes of the hosts have not ended") from error
        return self.cpu()

    def sessions(self) -> int:
        """How many processes work for its clients."""
        return len(processes.tree(self.pid)) - 1


def host_address(index: int) -> str:
    """The loopback address of a host."""
    return f"127.1.{index // 250}.{index % 250 + 1}"


def client_key() -> Path:
    """The private key that the servers' user logs in with."""
    return namespace.RUN / "client_key"


def start_hosts(count: int) -> tuple[SshServer, SshServer]:
    """Start the servers that answer as hosts 0 to ``count - 1``, each of which has an empty home.

    Returns:
        The server of the measured hosts, at ``HOST_PORT``; and that of hosts which are in no figure, at
        ``WARM_PORT``: connections to these are open all the while, and none of the others' time is theirs.
    """
    homes = namespace.RUN / "hosts"
    homes.mkdir()
    for index in range(count):
        home = homes / host_address(index)
        home.mkdir()
        os.chown(home, namespace.USER_ID, namespace.USER_ID)
    settings = {"DisableForwarding": "yes", "ForceCommand": _HOME_OF_ADDRESS.format(hosts=homes)}
    hosts, warm = SshServer("hosts", HOST_PORT, settings), SshServer("warm", WARM_PORT, settings)
    hosts.start()
    warm.start()
    return hosts, warm


def start_proxy() -> SshServer:
    """Start the proxy, whose user can do nothing but open connections to hosts."""
    permitted = f"*:{HOST_PORT} *:{WARM_PORT}"
    settings = {"PermitOpen": permitted, "ForceCommand": "/bin/false", "PermitTTY": "no"}
    proxy = SshServer("proxy", PROXY_PORT, settings)
    proxy.start()
    return proxy


def empty_homes() -> None:
    """Take away what runs have left in the hosts' homes."""
    for home in (namespace.RUN / "hosts").iterdir():
        for entry in home.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def make_client_key() -> Path:
    """Make the key pair, without a passphrase, before any server starts."""
    make_key(client_key())
    return client_key()
