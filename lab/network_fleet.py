"""What the topology's fleet file says."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lab.network_plan import (
    PROXY,
    SSH_PORT,
    WINDOWS_PROXY,
    WINRM_HTTP_PORT,
    WINRM_HTTPS_PORT,
    NetworkPlan,
    Segment,
)
from lab.network_windows import WINDOWS_USER
from lab.networks import Topology
from lab.winrm import PASSWORD_VARIABLE
from lab.yaml_file import write_yaml

SELF_HOSTED_POOL: Final = "frankfurt"
_WINDOWS_CREDENTIAL: Final = "desk"


def write_fleet(topology: Topology, path: Path) -> None:
    """Write the topology's fleet file."""
    write_yaml(path, topology_fleet(topology))


def topology_fleet(topology: Topology) -> dict[str, Any]:
    """The fleet of a topology that runs; workers need ``windows.password`` as ``PASSWORD_VARIABLE``."""
    host_keys = {name: sshd.host_key for name, sshd in topology.sshd.items()}
    credential = {"user": topology.user, "key_file": str(topology.key_file)}
    credentials = {"official": credential, SELF_HOSTED_POOL: credential}
    return fleet_document(topology.plan, host_keys, credentials, ca_file=topology.windows.ca_file)


def fleet_document(
    plan: NetworkPlan,
    host_keys: Mapping[str, str],
    credentials: Mapping[str, Mapping[str, str]],
    *,
    ca_file: Path | None = None,
) -> dict[str, Any]:
    """A fleet with a cluster for each way to reach a host, and one for a way that there isn't.

    ``direct``: public hosts. ``private``: through the Linux proxy. ``inside``: private hosts that the
    self-hosted pool reaches directly. ``stranded``: a private host that the official pool is told to
    reach without the proxy.

    Where there are Windows hosts, ``desk-direct``, ``desk-jump`` (through the Linux proxy), ``desk-inside``
    and ``desk-stranded`` are the same of Windows. Behind ports of the Windows proxy, ``desk-forward`` and
    ``desk-http`` are the hosts of ``desk-jump``, and ``web-forward`` those of ``private``.

    Args:
        plan: who stands where.
        host_keys: public host keys of the Linux hosts and the proxy, by name.
        credentials: one for each pool, by the pool's name.
        ca_file: the authority of the Windows hosts' certificates.
    """

    def entry(name: str) -> dict[str, Any]:
        segment: Segment = "public" if name in plan.direct or name == PROXY else "private"
        return {"address": plan.nodes[name].legs[segment], "host_key": [host_keys[name]]}

    def cluster(pool: str, hosts: Mapping[str, str], **more: str) -> dict[str, Any]:
        entries = {name: entry(node) for name, node in hosts.items()}
        return {"os": "linux", "pool": pool, "credential": pool, **more, "hosts": entries}

    document: dict[str, Any] = {
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
    if plan.with_winrm:
        document["credentials"][_WINDOWS_CREDENTIAL] = {
            "user": WINDOWS_USER,
            "password": {"env": PASSWORD_VARIABLE},
        }
        document["clusters"] |= _windows_clusters(plan, str(ca_file))
    if WINDOWS_PROXY in plan.nodes:
        document["proxies"][WINDOWS_PROXY] = {"os": "windows", "address": plan.nodes[WINDOWS_PROXY].address}
        behind = cluster("official", _numbered("web-forward", plan.private), proxy=WINDOWS_PROXY)
        document["clusters"]["web-forward"] = _forwarded(plan, behind, SSH_PORT)
    return document


def _windows_clusters(plan: NetworkPlan, ca_file: str) -> dict[str, Any]:
    def cluster(pool: str, hosts: Mapping[str, str], **more: Any) -> dict[str, Any]:
        entries = {name: {"address": plan.nodes[node].address} for name, node in hosts.items()}
        common = {"os": "windows", "pool": pool, "credential": _WINDOWS_CREDENTIAL}
        return {**common, "winrm": {"ca_file": ca_file}, **more, "hosts": entries}

    def behind(name: str, **more: Any) -> dict[str, Any]:
        return cluster("official", _numbered(name, plan.desk_private), **more)

    clusters = {
        "desk-direct": cluster("official", {name: name for name in plan.desk_direct}),
        "desk-jump": behind("desk-jump", proxy=PROXY),
        "desk-forward": _forwarded(plan, behind("desk-forward", proxy=WINDOWS_PROXY), WINRM_HTTPS_PORT),
        "desk-http": _forwarded(
            plan, behind("desk-http", proxy=WINDOWS_PROXY, winrm={"scheme": "http"}), WINRM_HTTP_PORT
        ),
        "desk-inside": cluster(SELF_HOSTED_POOL, {name: name for name in plan.desk_inside}),
        "desk-stranded": cluster("official", _numbered("desk-stranded", plan.desk_private[:1])),
    }
    return {name: each for name, each in clusters.items() if each["hosts"]}


def _numbered(name: str, nodes: Sequence[str]) -> dict[str, str]:
    """Machines by further names, for hosts that are told of in more than one cluster."""
    return {f"{name}-{number}": node for number, node in enumerate(nodes, 1)}


def _forwarded(plan: NetworkPlan, cluster: dict[str, Any], target_port: int) -> dict[str, Any]:
    """The cluster, each host with the port that the Windows proxy forwards to this port of its own."""
    ports = {
        plan.nodes[forward.host].address: forward.port
        for forward in plan.forwards
        if forward.target_port == target_port
    }
    for host in cluster["hosts"].values():
        host["forward_port"] = ports[host["address"]]
    return cluster
