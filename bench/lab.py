"""What every contender works with."""

from dataclasses import dataclass
from pathlib import Path

from bench.servers import SshServer

WARM_HOSTS = 16
"""Hosts beyond the measured ones, which warm workers up and are in no figure."""


@dataclass(frozen=True, kw_only=True)
class Lab:
    """The hosts, the proxy, and the key that both accept.

    Attributes:
        at_once: hosts that a contender may have in work at the same time.
    """

    key_file: Path
    hosts: SshServer
    proxy: SshServer
    at_once: int

    def cpu(self) -> tuple[float, float]:
        """CPU seconds of the hosts and of the proxy."""
        return self.hosts.cpu(), self.proxy.cpu()
