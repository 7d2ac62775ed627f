"""Links that are cut, silently: for a while under a run, and for good before a login."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.network_plan import GATEWAY, PACKAGES, PROXY, WINDOWS_PROXY
from tests.support.network_site import CONNECT_SECONDS, LOGIN_SECONDS, NetworkSite, ends, hosts, shop
from tests.support.processes import comes_true
from tests.support.yaml_files import application_of

pytestmark = pytest.mark.topology
CUT_SECONDS = 20.0
STEPS = ("one", "two", "three")
PRIVATE_LEG = {"input": 'iifname "private" drop', "output": 'oifname "private" drop'}
PUBLIC_LEG = {"input": 'iifname "public" drop', "output": 'oifname "public" drop'}


@dataclass(frozen=True, kw_only=True)
class SlowTroubles:
    """What takes long, done at once.

    Attributes:
        pull: hosts of the self-hosted pool whose way to the package server was closed.
        during: private hosts while the proxy had no link to them and all their work was done.
        after: the same run at its end.
        ledgers: what each of its hosts did, by the host's own account.
        printed: what each of its hosts printed, by the record's.
    """

    pull: dict[str, Any]
    during: dict[str, Any]
    after: dict[str, Any]
    ledgers: dict[str, list[str]]
    printed: dict[str, list[str]]


@pytest.fixture(scope="module")
def slow(network_site: NetworkSite) -> Iterator[SlowTroubles]:
    site, names = network_site, network_site.topology.plan.private
    homes = {name: site.topology.sshd[name].home for name in names}
    with site.cut(GATEWAY, forward=_closed_ways(site)):
        pull = site.submit(site.fleet(), shop(site), "inside")
        run = site.submit(site.fleet(), _gated(site), "private")
        assert comes_true(lambda: all(_ledger(home) == ["one"] for home in homes.values()), 30.0), site.logs()
        with site.cut(PROXY, **PRIVATE_LEG):
            mended_at = time.monotonic() + CUT_SECONDS
            for home in homes.values():
                (home / "gate").touch()
            assert comes_true(lambda: all(_ledger(home) == [*STEPS] for home in homes.values()))
            time.sleep(max(0.0, mended_at - time.monotonic()))  # the length of the cut is what is tried
            during = site.shown(run)
        after = site.ended(run)
        yield SlowTroubles(
            pull=site.ended(pull),
            during=during,
            after=after,
            ledgers={name: _ledger(home) for name, home in homes.items()},
            printed={name: site.printed(run, name).splitlines() for name in names},
        )


def _closed_ways(site: NetworkSite) -> str:
    """The gateway refuses one host's packets to the package server, and drops the other's."""
    one, other = (site.address(name, "private") for name in site.topology.plan.inside)
    packages = f"ip daddr {site.address(PACKAGES, 'public')} meta l4proto tcp"
    return f"ip saddr {one} {packages} reject with tcp reset; ip saddr {other} {packages} drop"


def _gated(site: NetworkSite) -> dict[str, Any]:
    """Three steps, each in the ledger; the first waits for a gate."""
    home = site.topology.home
    wait = f"until [ -e {home}/gate ]; do sleep 0.05; done"
    first, *others = (f"echo {step} >> {home}/ledger; echo {step}" for step in STEPS)
    return application_of({"run": f"{first}; {wait}"}, *({"run": other} for other in others))


def _ledger(home: Path) -> list[str]:
    path = home / "ledger"
    return path.read_text().split() if path.exists() else []


def test_a_run_goes_on_through_a_link_that_is_cut_for_a_while_and_does_each_step_once(
    slow: SlowTroubles,
) -> None:
    assert slow.during["state"] == "running"
    assert {host["outcome"] for host in hosts(slow.during).values()} == {None}
    assert slow.after["state"] == "succeeded"
    assert ends(slow.after) == dict.fromkeys(slow.ledgers, ("ok", None, f"via {PROXY}"))
    assert slow.ledgers == {name: [*STEPS] for name in hosts(slow.after)}
    assert {name: lines[-3:] for name, lines in slow.printed.items()} == slow.ledgers


def test_a_closed_way_to_the_package_server_is_told_apart_from_one_that_drops(slow: SlowTroubles) -> None:
    assert slow.pull["state"] == "failed"
    assert ends(slow.pull) == {
        "inside-1": ("failed", "pull_refused", "direct"),
        "inside-2": ("failed", "pull_timeout", "direct"),
    }


def test_silence_before_the_login_is_named_by_where_it_is(site: NetworkSite) -> None:
    """One verification of hosts that are each cut off in another place, side by side."""
    fleet = site.fleet()
    clusters = fleet["clusters"]
    fleet["proxies"]["mute"] = {**fleet["proxies"][PROXY], "port": 2222}
    clusters["private"]["hosts"]["private-2"]["proxy"] = "mute"
    with ExitStack() as cuts:
        # A packet with SSH in it is longer than 60 bytes, one that opens a connection is not.
        cuts.enter_context(site.cut("direct-1", output="meta length > 60 drop"))
        cuts.enter_context(site.cut("direct-2", input="drop"))
        cuts.enter_context(site.cut("private-1", input="drop"))
        cuts.enter_context(site.cut(PROXY, input="tcp dport 2222 drop"))
        cuts.enter_context(site.cut("inside-1", input="reject with icmp type admin-prohibited"))
        cuts.enter_context(site.cut("desk-direct-1", output="meta length > 60 drop"))
        cuts.enter_context(site.cut("desk-private-1", input="drop"))
        cuts.enter_context(site.cut(WINDOWS_PROXY, input="tcp dport 15003 drop"))
        desks = ("desk-direct", "desk-jump", "desk-forward", "desk-http-2")
        view = site.verify(fleet, "direct", "private", "inside", *desks)

    assert ends(view) == {
        "direct-1": ("unreachable", "protocol", "direct"),
        "direct-2": ("unreachable", "tcp_timeout", "direct"),
        "private-1": ("unreachable", "tcp_timeout", f"via {PROXY}"),
        "private-2": ("unreachable", "proxy_tcp_timeout", "via mute"),
        "inside-1": ("unreachable", "tcp_unreachable", "direct"),
        "inside-2": ("ok", None, "direct"),
        "desk-direct-1": ("unreachable", "protocol", "direct"),
        "desk-jump-1": ("unreachable", "tcp_timeout", f"via {PROXY}"),
        "desk-jump-2": ("ok", None, f"via {PROXY}"),
        "desk-forward-1": ("unreachable", "proxy_forward_timeout", f"via {WINDOWS_PROXY}"),
        "desk-forward-2": ("ok", None, f"via {WINDOWS_PROXY}"),
        "desk-http-2": ("unreachable", "proxy_tcp_timeout", f"via {WINDOWS_PROXY}"),
    }
    found = hosts(view)
    failed_at = {name: host["steps"][-1]["name"] for name, host in found.items() if host["cause"]}
    assert failed_at == {
        "direct-1": "banner",
        "direct-2": "tcp",
        "private-1": "forward",
        "private-2": "tcp",
        "inside-1": "tcp",
        "desk-direct-1": "tls",
        "desk-jump-1": "forward",
        "desk-forward-1": "tls",
        "desk-http-2": "tcp",
    }
    assert PROXY in found["private-1"]["message"]
    assert max(host["seconds"] for host in found.values()) < 2 * (CONNECT_SECONDS + LOGIN_SECONDS)


def test_a_proxy_that_falls_silent_under_its_connection_is_named_and_comes_back(site: NetworkSite) -> None:
    assert ends(site.verify(site.fleet(), "private"))["private-1"][0] == "ok"
    with site.cut(PROXY, **PUBLIC_LEG):
        cut = site.verify(site.fleet(), "private")
    mended = site.verify(site.fleet(), "private")

    for outcome, cause, _ in ends(cut).values():
        assert outcome == "unreachable"
        # The first: the connection that stood was used; the second: it was known to be gone by then.
        assert cause in {"proxy_forward_timeout", "proxy_tcp_timeout"}
    assert {outcome for outcome, _, _ in ends(mended).values()} == {"ok"}
