"""The rules that ``longshore fleet ports`` prints: all that is needed comes through, and nothing else."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import product
from typing import Any

import pytest

from lab.namespaces import inside, tool
from lab.network_fleet import SELF_HOSTED_POOL
from lab.network_plan import GATEWAY, OFFICIAL, PROXY, REDIS, SELF_HOSTED, WINDOWS_PROXY
from tests.support.network_site import NetworkSite, hosts

pytestmark = pytest.mark.topology
PORTS = (22, 80, 6379)
# Tells which of the given places answers, be it that the port is closed; a firewall that drops is silence.
ASK = """
import asyncio, json, sys
async def answers(address, port):
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 2)
        writer.close()
    except ConnectionRefusedError:
        pass
    except OSError:
        return False
    return True
async def ask(places):
    return await asyncio.gather(*(answers(*place) for place in places))
places = json.loads(sys.argv[1])
print(json.dumps([place for place, answer in zip(places, asyncio.run(ask(places))) if answer]))
"""
# What a machine's owner has around Longshore's chain: answers may come in, all else only through it.
OWN_CHAIN = """
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iif lo accept
    jump longshore
  }
}
"""

Place = tuple[str, int]
Opening = tuple[str, Place]


def _fleet(site: NetworkSite) -> dict[str, Any]:
    """The topology's Linux fleet, each host once, with the addresses that connections come from."""
    fleet = site.fleet()
    fleet["clusters"] = {name: fleet["clusters"][name] for name in ("direct", "private", "inside")}
    del fleet["proxies"][WINDOWS_PROXY]
    fleet["pools"]["official"]["addresses"] = [site.address(OFFICIAL, "public")]
    behind_the_gateway = [site.address(SELF_HOSTED, "private"), site.address(GATEWAY, "public")]
    fleet["pools"][SELF_HOSTED_POOL]["addresses"] = behind_the_gateway
    fleet["proxies"][PROXY]["addresses"] = [site.address(PROXY, "private")]
    return fleet


def _node(machine: dict[str, Any]) -> str:
    return REDIS if machine["kind"] == "redis" else str(machine["name"])


@contextmanager
def _rules_in_force(site: NetworkSite, nftables: list[dict[str, Any]]) -> Iterator[None]:
    with ExitStack() as loaded:
        for each in nftables:
            nft = inside(site.topology.namespace(_node(each["machine"])), ["nft"])
            tool([*nft, "-f", "-"], stdin=each["text"])
            loaded.callback(tool, [*nft, "delete", "table", "inet", "filter"])
            tool([*nft, "-f", "-"], stdin=OWN_CHAIN)
        yield


def _openings(site: NetworkSite, machines: list[str]) -> set[Opening]:
    """Who gets an answer from where, tried from everywhere."""
    addresses = [leg for name in machines for leg in site.topology.plan.nodes[name].legs.values()]
    places = list(product(addresses, PORTS))

    def ask(node: str) -> list[Opening]:
        own = set(site.topology.plan.nodes[node].legs.values())
        others = [place for place in places if place[0] not in own]
        done = site.topology.run(node, [sys.executable, "-c", ASK, json.dumps(others)])
        return [(node, (address, port)) for address, port in json.loads(done.stdout)]

    with ThreadPoolExecutor(6) as pool:
        return {opening for found in pool.map(ask, site.topology.plan.nodes) for opening in found}


def _listed(site: NetworkSite, connections: list[dict[str, Any]]) -> set[Opening]:
    """The openings of the table: every machine that can come from a listed address."""
    nodes = site.topology.plan.nodes
    gateway = site.address(GATEWAY, "public")
    found: set[Opening] = set()
    for row in connections:
        place = (row["destination"]["address"], row["port"])
        public = place[0] in {node.legs.get("public") for node in nodes.values()}
        for node in nodes.values():
            seen = node.legs.get("public", gateway) if public else node.legs.get("private")
            if seen in row["source"]["sources"]:
                found.add((node.name, place))
    return found


def test_the_printed_rules_let_a_whole_verification_through_and_nothing_that_is_not_listed(
    site: NetworkSite,
) -> None:
    fleet = _fleet(site)
    printed = json.loads(
        site.longshore("fleet", "ports", "--fleet", site.written("fleet", fleet), "--json").stdout
    )
    machines = [_node(each["machine"]) for each in printed["nftables"]]
    assert set(machines) == {
        REDIS,
        PROXY,
        *(host for kind in fleet["clusters"].values() for host in kind["hosts"]),
    }
    without_rules = _openings(site, machines)

    with _rules_in_force(site, printed["nftables"]):
        with_rules = _openings(site, machines)
        view = site.verify(fleet, *fleet["clusters"])

    assert view["state"] == "succeeded", hosts(view)
    assert with_rules == _listed(site, printed["connections"])
    assert with_rules < without_rules
