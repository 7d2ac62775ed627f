"""The fleet and application files that Longshore is measured with."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import namespace, servers
from bench.lab import WARM_HOSTS, Lab

POOL = "official"
STEPS = 10
STEP_OUTPUT = "x" * 100  # ten of them, with their newlines, are the 1 KB of logs that the target speaks of
STEP = f"echo {STEP_OUTPUT}"  # the same in PowerShell
_CLUSTER = {"os": "linux", "pool": POOL, "credential": "lab"}


def cluster(route: str, size: int) -> str:
    """The name of the cluster with ``size`` hosts behind ``route`` (``direct`` or ``proxied``)."""
    return f"{route}-{size}"


def write_fleets(folder: Path, lab: Lab, sizes: Sequence[int]) -> None:
    """A fleet for each route and size, of one cluster; and one for each route to warm workers up with."""
    proxy = {
        "os": "linux", "address": servers.PROXY_ADDRESS, "port": servers.PROXY_PORT, "credential": "lab",
        "host_key": [lab.proxy.host_key],
    }  # fmt: skip
    ranges = {size: (servers.HOST_PORT, range(size)) for size in sizes}
    ranges[WARM_HOSTS] = (servers.WARM_PORT, range(max(sizes), max(sizes) + WARM_HOSTS))
    for route, more in {"direct": {}, "proxied": {"proxy": "bastion"}}.items():
        for size, (port, indexes) in ranges.items():
            name = cluster(route, size)
            hosts = {f"{name}-{index:04}": servers.host_address(index) for index in indexes}
            document = {
                "pools": {POOL: {"kind": "official"}},
                "credentials": {"lab": {"user": namespace.USER, "key_file": str(lab.key_file)}},
                "proxies": {"bastion": proxy},
                "clusters": {name: {**more, **_CLUSTER, "port": port, "hosts": hosts}},
            }
            write(folder / f"{name}.yaml", document)


def write_large_fleet(folder: Path, hosts: int) -> Path:
    """A fleet of one cluster, ``large``, whose hosts nobody will ask for."""
    addresses = {
        f"host-{index:05}": f"10.{index >> 16}.{index >> 8 & 255}.{index & 255}" for index in range(hosts)
    }
    document = {
        "pools": {POOL: {"kind": "official"}},
        "credentials": {"lab": {"user": namespace.USER, "key_file": "key"}},
        "clusters": {"large": {**_CLUSTER, "hosts": addresses}},
    }
    return write(folder / "large.yaml", document)


def write_application(folder: Path) -> Path:
    """Ten steps of ``echo``, in one batch."""
    actions = [{"run": STEP, "name": f"step {number}"} for number in range(STEPS)]
    document = {"application": "bench", "actions": actions, "rollout": {"batches": ["100%"]}}
    return write(folder / "bench.yaml", document)


def write(path: Path, document: Mapping[str, Any]) -> Path:
    """Write a fleet or application file; its path."""
    path.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
    return path
