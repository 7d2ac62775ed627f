"""What the topology's fleet file says."""

from pathlib import Path
from typing import Any, Final

from lab.network_plan import PROXY, Segment
from lab.networks import Topology
from lab.yaml_file import write_yaml

SELF_HOSTED_POOL: Final = "frankfurt"


def write_fleet(topology: Topology, path: Path) -> None:
    """Write a fleet file with a cluster for each way to reach a host, and one for a way that there isn't.

    ``direct``: public hosts. ``private``: through the proxy. ``inside``: private hosts that the
    self-hosted pool reaches directly. ``stranded``: a private host that the official pool is told to
    reach without the proxy.
    """
    write_yaml(path, fleet_document(topology))


def fleet_document(topology: Topology) -> dict[str, Any]:
    """The same as a value, to be changed before it is written."""
    plan = topology.plan

    def entry(name: str) -> dict[str, Any]:
        segment: Segment = "public" if name in plan.direct or name == PROXY else "private"
        return {
            "address": plan.nodes[name].legs[segment],
            "host_key": [topology.sshd[name].host_key],
        }

    def cluster(pool: str, names: tuple[str, ...], **more: str) -> dict[str, Any]:
        hosts = {name: entry(name) for name in names}
        return {"os": "linux", "pool": pool, "credential": "deploy", **more, "hosts": hosts}

    return {
        "pools": {"official": {"kind": "official"}, SELF_HOSTED_POOL: {"kind": "self-hosted"}},
        "credentials": {"deploy": {"user": topology.user, "key_file": str(topology.key_file)}},
        "proxies": {PROXY: {"os": "linux", **entry(PROXY), "credential": "deploy"}},
        "clusters": {
            "direct": cluster("official", plan.direct),
            "private": cluster("official", plan.private, proxy=PROXY),
            "inside": cluster(SELF_HOSTED_POOL, plan.inside),
            "stranded": {**cluster("official", ()), "hosts": {"stranded-1": entry(plan.private[0])}},
        },
    }
