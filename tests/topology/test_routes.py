"""Every route, over real networks: what reaches what, and what says so where it doesn't."""

from typing import Any

import pytest

from lab.network_fleet import SELF_HOSTED_POOL
from lab.network_plan import OFFICIAL, PROXY, SELF_HOSTED, WINDOWS_PROXY
from lab.networks import has_ipv6
from tests.support.network_site import CONNECT_SECONDS, LOGIN_SECONDS, NetworkSite, ends, hosts
from tests.support.yaml_files import application_of

pytestmark = pytest.mark.topology
OK_DIRECT = ("ok", None, "direct")
OK_JUMP = ("ok", None, f"via {PROXY}")
OK_FORWARD = ("ok", None, f"via {WINDOWS_PROXY}")
NO_WAY = ("unreachable", "tcp_timeout", "direct")
HELLO = application_of({"run": 'echo "hello from $LONGSHORE_HOST"'})


def _stages(host: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["name"], step["state"]) for step in host["steps"]]


def test_one_verification_spans_both_pools_and_both_systems_and_takes_every_route(site: NetworkSite) -> None:
    plan, fleet = site.topology.plan, site.fleet()
    hosts_of = {name: list(cluster["hosts"]) for name, cluster in fleet["clusters"].items()}
    before = {name: len(site.came_from(name)) for name in (*site.topology.sshd, *site.topology.windows.hosts)}

    view = site.verify(fleet, *(name for name in hosts_of if "stranded" not in name))

    directly = ("direct", "inside", "desk-direct", "desk-inside")
    jumped, forwarded = ("private", "desk-jump"), ("desk-forward", "desk-http", "web-forward")
    assert view["state"] == "succeeded"
    assert ends(view) == {
        **dict.fromkeys((host for name in directly for host in hosts_of[name]), OK_DIRECT),
        **dict.fromkeys((host for name in jumped for host in hosts_of[name]), OK_JUMP),
        **dict.fromkeys((host for name in forwarded for host in hosts_of[name]), OK_FORWARD),
    }
    inside = {*plan.inside, *plan.desk_inside}
    assert {name for name, host in hosts(view).items() if host["pool"] == SELF_HOSTED_POOL} == inside
    official, self_hosted = site.address(OFFICIAL, "public"), site.address(SELF_HOSTED, "private")
    bastion, winproxy = (site.address(name, "private") for name in (PROXY, WINDOWS_PROXY))
    seen = {
        name: tuple(sorted(site.came_from(name)[before[name] :]))
        for name, node in plan.nodes.items()
        if node.role in {"host", "windows-host"}
    }
    assert seen == {
        **dict.fromkeys((*plan.direct, *plan.desk_direct), (official,)),
        **dict.fromkeys(plan.private, (bastion, winproxy)),
        **dict.fromkeys(plan.desk_private, (bastion, winproxy, winproxy)),
        **dict.fromkeys(inside, (self_hosted,)),
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
    before = len(site.came_from("private-1"))

    view = site.verify(fleet, "direct-1", "private-1", "inside-1", "stranded-1")

    assert ends(view) == {
        "direct-1": OK_DIRECT,
        "private-1": OK_JUMP,
        "inside-1": OK_DIRECT,
        "stranded-1": ("unreachable", "tcp_unreachable", "direct"),
    }
    assert site.came_from("private-1")[before:] == [nodes[PROXY].legs_v6["private"]]
