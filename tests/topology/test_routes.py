"""Every route of Linux hosts, over real networks: what reaches what, and what says so where it doesn't."""

import re
from typing import Any

import pytest

from lab.network_fleet import SELF_HOSTED_POOL
from lab.network_plan import OFFICIAL, PROXY, SELF_HOSTED
from lab.networks import has_ipv6
from tests.support.network_site import CONNECT_SECONDS, LOGIN_SECONDS, NetworkSite, ends, hosts
from tests.support.yaml_files import application_of

pytestmark = pytest.mark.topology
OK_DIRECT = ("ok", None, "direct")
OK_JUMP = ("ok", None, f"via {PROXY}")
NO_WAY = ("unreachable", "tcp_timeout", "direct")
HELLO = application_of({"run": 'echo "hello from $LONGSHORE_HOST"'})


def _stages(host: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["name"], step["state"]) for step in host["steps"]]


def _logins(site: NetworkSite, node: str) -> list[str]:
    """The addresses from which a host has been logged in to, by its sshd's own log."""
    log = site.topology.sshd[node].log.read_text()
    return re.findall(r"^Accepted publickey for \S+ from (\S+) port", log, re.MULTILINE)


def test_one_verification_spans_both_pools_and_takes_every_route(site: NetworkSite) -> None:
    plan = site.topology.plan
    before = {node.name: len(_logins(site, node.name)) for node in plan.with_sshd}

    view = site.verify(site.fleet(), "direct", "private", "inside")

    assert view["state"] == "succeeded"
    assert ends(view) == {
        **dict.fromkeys(plan.direct, OK_DIRECT),
        **dict.fromkeys(plan.private, OK_JUMP),
        **dict.fromkeys(plan.inside, OK_DIRECT),
    }
    assert {name: host["pool"] for name, host in hosts(view).items()} == {
        **dict.fromkeys((*plan.direct, *plan.private), "official"),
        **dict.fromkeys(plan.inside, SELF_HOSTED_POOL),
    }
    seen = {name: _logins(site, name)[before[name] :] for name in hosts(view)}
    assert seen == {
        **{name: [site.address(OFFICIAL, "public")] for name in plan.direct},
        **{name: [site.address(PROXY, "private")] for name in plan.private},
        **{name: [site.address(SELF_HOSTED, "private")] for name in plan.inside},
    }


@pytest.mark.parametrize(
    ("cluster", "end"), [("direct", OK_DIRECT), ("private", OK_JUMP), ("inside", OK_DIRECT)]
)
def test_a_deployment_takes_the_route_of_its_cluster(
    site: NetworkSite, cluster: str, end: tuple[str, str | None, str]
) -> None:
    view = site.deploy(site.fleet(), HELLO, cluster)

    assert view["state"] == "succeeded"
    assert ends(view) == dict.fromkeys(getattr(site.topology.plan, cluster), end)
    name = f"{cluster}-2"
    assert site.printed(view["id"], name).endswith(f"hello from {name}\n")


def test_private_hosts_are_silence_to_the_official_pool_without_the_proxy(site: NetworkSite) -> None:
    fleet = site.fleet()
    fleet["clusters"]["private"]["hosts"]["private-1"]["proxy"] = None

    view = site.verify(fleet, "private")

    assert view["state"] == "failed"
    assert ends(view) == {"private-1": NO_WAY, "private-2": OK_JUMP}
    lost = hosts(view)["private-1"]
    assert _stages(lost) == [("dns", "ok"), ("tcp", "failed")]
    assert site.address("private-1", "private") in lost["message"]
    assert lost["seconds"] < CONNECT_SECONDS + LOGIN_SECONDS


def test_the_same_hosts_are_reached_by_the_pool_that_stands_beside_them_and_by_no_other(
    site: NetworkSite,
) -> None:
    fleet = site.fleet()
    there = fleet["clusters"]["inside"]
    fleet["clusters"]["elsewhere"] = {
        **there,
        "pool": "official",
        "hosts": {f"{name}-from-outside": host for name, host in there["hosts"].items()},
    }

    view = site.verify(fleet, "inside", "elsewhere")

    names = site.topology.plan.inside
    assert ends(view) == {
        **dict.fromkeys(names, OK_DIRECT),
        **dict.fromkeys((f"{name}-from-outside" for name in names), NO_WAY),
    }


def test_nothing_is_deployed_where_there_is_no_way(site: NetworkSite) -> None:
    view = site.deploy(site.fleet(), application_of({"run": "touch ~/stranded"}), "stranded")

    assert view["state"] == "failed"
    assert ends(view) == {"stranded-1": NO_WAY}
    assert not (site.topology.sshd["private-1"].home / "stranded").exists()


def test_the_proxys_login_passes_connections_on_and_runs_nothing(site: NetworkSite) -> None:
    fleet = site.fleet()
    proxy = fleet["proxies"][PROXY]
    entry = {key: proxy[key] for key in ("address", "host_key")}
    fleet["clusters"]["edge"] = {
        "os": "linux",
        "pool": "official",
        "credential": "official",
        "hosts": {"edge-1": entry},
    }

    view = site.verify(fleet, "private-1", "edge")

    assert ends(view) == {"private-1": OK_JUMP, "edge-1": ("failed", "command", "direct")}
    assert _stages(hosts(view)["edge-1"])[-2:] == [("login", "ok"), ("command", "failed")]


def test_hosts_are_reached_by_ipv6_directly_and_through_the_proxy(site: NetworkSite) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    fleet, nodes = site.fleet(), site.topology.plan.nodes
    clusters = fleet["clusters"]
    fleet["proxies"][PROXY]["address"] = nodes[PROXY].legs_v6["public"]
    clusters["direct"]["hosts"]["direct-1"]["address"] = nodes["direct-1"].legs_v6["public"]
    clusters["private"]["hosts"]["private-1"]["address"] = nodes["private-1"].legs_v6["private"]
    clusters["inside"]["hosts"]["inside-1"]["address"] = nodes["inside-1"].legs_v6["private"]
    clusters["stranded"]["hosts"]["stranded-1"]["address"] = nodes["private-1"].legs_v6["private"]
    before = len(_logins(site, "private-1"))

    view = site.verify(fleet, "direct-1", "private-1", "inside-1", "stranded-1")

    assert ends(view) == {
        "direct-1": OK_DIRECT,
        "private-1": OK_JUMP,
        "inside-1": OK_DIRECT,
        "stranded-1": ("unreachable", "tcp_unreachable", "direct"),
    }
    assert _logins(site, "private-1")[before:] == [nodes[PROXY].legs_v6["private"]]
