"""What the topology's fleet file says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lab.network_plan import PROXY, NetworkPlan, Segment
from lab.networks import Topology
from lab.yaml_file import write_yaml

SELF_HOSTED_POOL: Final = "frankfurt"


def write_fleet(topology: Topology, path: Path) -> None:
    """Write the topology's fleet file."""
    host_keys = {name: sshd.host_key for name, sshd in topology.sshd.items()}
    credential = {"user": topology.user, "key_file": str(topology.key_file)}
    credentials = {"official": credential, SELF_HOSTED_POOL: credential}
    write_yaml(path, fleet_document(topology.plan, host_keys, credentials))


def fleet_document(
    plan: NetworkPlan, host_keys: Mapping[str, str], credentials: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """A fleet with a cluster for each way to reach a host, and one for a way that there isn't.

    ``direct``: public hosts. ``private``: through the proxy. ``inside``: private hosts that the
    self-hosted pool reaches directly. ``stranded``: a private host that the official pool is told to
    reach without the proxy.

    Args:
        plan: who stands where.
        host_keys: public host keys of the hosts and the proxy, by name.
        credentials: one for each pool, by the pool's name.
    """

    def entry(name: str) -> dict[str, Any]:
        segment: Segment = "public" if name in plan.direct or name == PROXY else "private"
        return {"address": plan.nodes[name].legs[segment], "host_key": [host_keys[name]]}

    def cluster(pool: str, hosts: Mapping[str, str], **more: str) -> dict[str, Any]:
        entries = {name: entry(node) for name, node in hosts.items()}
        return {"os": "linux", "pool": pool, "credential": pool, **more, "hosts": entries}

    return {
        "pools": {"official": {"kind": "official"}, SELF_HOSTED_POOL: {"kind": "self-hosted"}},
        "credentials": {name: dict(credential) for name, credential in credentials.items()},
        "proxies": {PROXY: {"os": "linux", **entry(PROXY), "credential": "official"}},
        "clusters": {
            "direct": cluster("official", {name: name for name in plan.direct}),
            "private": cluster("official", {name: name for name in plan.private}, proxy=PROXY),
            "inside": cluster(SELF_HOSTED_POOL, {name: name for name in plan.inside}),
            "stranded": cluster("official", {"stranded-1": plan.private[0]}),
        },
    }
