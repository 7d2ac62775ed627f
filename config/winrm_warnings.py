"""What people are told of hosts that are reached without a check of who they are, or without encryption."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from config.fleet import Fleet, WinRM
from config.problems import listed
from config.targets import HostTarget

_MOST_SHOWN = 6
_MEANINGS = {
    "ignore_certificate": "any certificate is taken (ignore_certificate), even another machine's",
    "insecure": "http without encryption (insecure); who is on the way reads and changes what is sent",
}


def winrm_warnings(fleet: Fleet, targets: Collection[str]) -> tuple[str, ...]:
    """One sentence for each kind of carelessness that the fleet allows at the targets.

    Args:
        fleet: as loaded.
        targets: names of clusters and hosts.
    """
    wanted = set(targets)
    settings = {
        name: host.winrm
        for cluster_name, cluster in fleet.clusters.items()
        for name, host in cluster.hosts.items()
        if host.winrm is not None and {name, cluster_name} & wanted
    }
    return tuple(_warnings(settings))


def target_warnings(targets: Iterable[HostTarget]) -> tuple[str, ...]:
    """The same for the targets of a run."""
    return tuple(_warnings({target.name: target.winrm for target in targets if target.winrm is not None}))


def _warnings(settings: Mapping[str, WinRM]) -> Iterator[str]:
    for field, meaning in _MEANINGS.items():
        names = [name for name, winrm in settings.items() if getattr(winrm, field)]
        if names:
            more = [f"{len(names) - _MOST_SHOWN} more"] if len(names) > _MOST_SHOWN else []
            yield f"Warning: {listed(names[:_MOST_SHOWN] + more)}: {meaning}."
