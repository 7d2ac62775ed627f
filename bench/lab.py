"""What every contender works with."""

from dataclasses import dataclass
from pathlib import Path

from bench import namespace, servers
from bench.servers import SshServer

WARM_HOSTS = 16
"""Hosts beyond the measured ones, which warm workers up and are in no figure."""


@dataclass(frozen=True, kw_only=True)
class Lab:
    """The hosts, the proxy, and the key that all accept.

    Attributes:
        hosts: the server of those that are measured.
        warm: the server of those that are not.
        at_once: hosts that a contender may have in work at the same time.
    """

    key_file: Path
    hosts: SshServer
    warm: SshServer
    proxy: SshServer
    at_once: int


def make_lab(hosts: int, *, at_once: int) -> Lab:
    """Furnish the namespaces that this process is in, and start everything there.

    Args:
        hosts: how many are measured at most.
        at_once: hosts that a contender may have in work at the same time.
    """
    namespace.furnish()
    key = servers.make_client_key()
    measured, warm = servers.start_hosts(hosts + WARM_HOSTS)
    return Lab(key_file=key, hosts=measured, warm=warm, proxy=servers.start_proxy(), at_once=at_once)
