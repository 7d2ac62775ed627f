"""Windows hosts in the networks: deployments over every route, and a Windows proxy in trouble.

No Windows has run any of this: hosts and proxy are the WinRM protocol lab's.
"""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from lab.network_plan import (
    GATEWAY,
    PROXY,
    SSH_PORT,
    WINDOWS_PROXY,
    WINRM_HTTP_PORT,
    WINRM_HTTPS_PORT,
    Forward,
)
from lab.winrm import PASSWORD_VARIABLE
from tests.support.network_site import NetworkSite, ends, hosts
from tests.support.processes import comes_true
from tests.support.yaml_files import application_of

pytestmark = pytest.mark.topology
ROUTES = {
    "desk-direct": "direct",
    "desk-jump": f"via {PROXY}",
    "desk-forward": f"via {WINDOWS_PROXY}",
    "desk-inside": "direct",
}
# Two ways to one machine make it two in the record, so no run waits for the other there; the machine itself
# turns a second one away while the first is under way.
TURNS = (("desk-direct",), ("desk-jump", "desk-forward"), ("desk-inside",))
NOBODY_LISTENS = 9


def _cmd(text: str) -> dict[str, Any]:
    return {"run": text, "shell": "cmd"}


def _written(site: NetworkSite, node: str, name: str) -> list[str]:
    """The lines of a file on a Windows host's drive."""
    path = site.topology.windows.hosts[node].drive / name
    return path.read_text().split() if path.exists() else []


def _node(site: NetworkSite, host: dict[str, Any]) -> str:
    """The machine that a host of the fleet is."""
    return next(name for name, node in site.topology.plan.nodes.items() if node.address == host["address"])


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """One deployment to each cluster of Windows hosts, side by side with one to Linux hosts.

    Attributes:
        fleet: the one for all.
        views: the runs at their ends, by cluster.
    """

    fleet: dict[str, Any]
    views: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def deployed(network_site: NetworkSite) -> Deployed:
    site, fleet = network_site, network_site.fleet()
    package = site.topology.package
    assert package is not None

    def deploy(cluster: str) -> dict[str, Any]:
        url = f"{site.topology.package_url}/{package.path.name}?{cluster}"
        fetch = {"url": url, "sha256": package.sha256, "to": f"C:\\{cluster}\\shop.tgz"}
        marks = _cmd(f"echo %version%-%LONGSHORE_HOST%>>C:\\{cluster}\\ledger")
        return site.deploy(fleet, application_of({"fetch": fetch}, marks), cluster)

    linux = application_of({"run": 'echo "hello from $LONGSHORE_HOST"'})
    with ThreadPoolExecutor(len(TURNS) + 1) as people:
        web = people.submit(site.deploy, fleet, linux, "web-forward")
        done = people.map(lambda turns: {cluster: deploy(cluster) for cluster in turns}, TURNS)
        views = {cluster: view for each in done for cluster, view in each.items()}
        return Deployed(fleet=fleet, views={**views, "web-forward": web.result()})


@pytest.mark.parametrize("cluster", ROUTES)
def test_a_deployment_takes_the_route_of_its_cluster(
    site: NetworkSite, deployed: Deployed, cluster: str
) -> None:
    targets = deployed.fleet["clusters"][cluster]["hosts"]
    assert deployed.views[cluster]["state"] == "succeeded"
    assert ends(deployed.views[cluster]) == dict.fromkeys(targets, ("ok", None, ROUTES[cluster]))
    for name, host in targets.items():
        assert _written(site, _node(site, host), f"{cluster}/ledger") == [f"1.4-{name}"]


@pytest.mark.parametrize("cluster", ROUTES)
def test_the_package_server_sees_the_host_itself_or_the_gateway(
    site: NetworkSite, deployed: Deployed, cluster: str
) -> None:
    nodes = [_node(site, host) for host in deployed.fleet["clusters"][cluster]["hosts"].values()]
    clients = [
        access.client for access in site.topology.package_log.read() if access.path.endswith(f"?{cluster}")
    ]
    public = [site.topology.plan.nodes[name].legs.get("public") for name in nodes]
    assert clients == [address or site.address(GATEWAY, "public") for address in public]


def test_a_linux_host_behind_the_windows_proxy_is_deployed_to_from_the_same_fleet(
    site: NetworkSite, deployed: Deployed
) -> None:
    view = deployed.views["web-forward"]
    assert ends(view) == dict.fromkeys(
        deployed.fleet["clusters"]["web-forward"]["hosts"], ("ok", None, f"via {WINDOWS_PROXY}")
    )
    for name in hosts(view):
        assert site.printed(view["id"], name).endswith(f"hello from {name}\n")


@dataclass(frozen=True, kw_only=True)
class Misled:
    """A verification while the Windows proxy forwards some ports elsewhere, and some not at all.

    Attributes:
        view: the verification at its end.
        checked: what ``fleet forwards --check --json`` printed about it, by host.
        exit_code: with which it ended.
        said: what it printed for people.
    """

    view: dict[str, Any]
    checked: dict[str, Any]
    exit_code: int
    said: str


@pytest.fixture(scope="module")
def misled(network_site: NetworkSite) -> Misled:
    site, fleet = network_site, network_site.fleet()
    fleet["clusters"]["desk-pinned"] = _pinned(site, fleet)
    site.topology.windows.kill_relay()
    try:
        site.topology.windows.start_relay(_misleading(site, fleet))
        forwarded = ("desk-forward", "desk-http", "desk-pinned", "web-forward")
        view = site.verify(fleet, *forwarded, "desk-stranded")
    finally:
        site.topology.windows.kill_relay()
        site.topology.windows.start_relay(site.topology.plan.forwards)
    check = ("fleet", "forwards", "--check", view["id"], "--fleet", site.written("fleet", fleet))
    checked = site.longshore(*check, "--json")
    return Misled(
        view=view,
        checked={row["forward"]["host"]: row for row in json.loads(checked.stdout)["forwards"]},
        exit_code=checked.returncode,
        said=site.longshore(*check).stdout,
    )


def _misleading(site: NetworkSite, fleet: dict[str, Any]) -> list[Forward]:
    """The forwards, of which some lead to another host, one to a closed port, and one is missing."""
    (one, two), (linux, other_linux) = site.topology.plan.desk_private, site.topology.plan.private
    table = {(each.host, each.target_port): each for each in site.topology.plan.forwards}
    table[one, WINRM_HTTPS_PORT] = replace(table[one, WINRM_HTTPS_PORT], host=two)
    del table[one, WINRM_HTTP_PORT]
    table[two, WINRM_HTTP_PORT] = replace(table[two, WINRM_HTTP_PORT], target_port=NOBODY_LISTENS)
    table[linux, SSH_PORT] = replace(table[linux, SSH_PORT], host=other_linux)
    pinned = (host["forward_port"] for host in fleet["clusters"]["desk-pinned"]["hosts"].values())
    return [*table.values(), *(Forward(port=port, host=two, target_port=WINRM_HTTPS_PORT) for port in pinned)]


def _pinned(site: NetworkSite, fleet: dict[str, Any]) -> dict[str, Any]:
    """The private Windows hosts, each known by its certificate alone, behind further ports of the proxy."""
    cluster = {**fleet["clusters"]["desk-forward"], "winrm": {}, "hosts": {}}
    for number, node in enumerate(site.topology.plan.desk_private, 1):
        shown = x509.load_pem_x509_certificate(site.topology.windows.hosts[node].certificate.read_bytes())
        cluster["hosts"][f"desk-pinned-{number}"] = {
            "address": site.address(node, "private"),
            "forward_port": 15900 + number,
            "winrm": {"fingerprint": shown.fingerprint(hashes.SHA256()).hex()},
        }
    return cluster


def test_a_forwarded_port_that_leads_elsewhere_is_found_out_and_named(misled: Misled) -> None:
    via = f"via {WINDOWS_PROXY}"
    assert ends(misled.view) == {
        "desk-forward-1": ("unreachable", "tls", via),
        "desk-forward-2": ("ok", None, via),
        "desk-http-1": ("unreachable", "proxy_tcp_refused", via),
        "desk-http-2": ("unreachable", "proxy_forward_refused", via),
        "desk-pinned-1": ("unreachable", "tls", via),
        "desk-pinned-2": ("ok", None, via),
        "web-forward-1": ("unreachable", "host_key_changed", via),
        "web-forward-2": ("ok", None, via),
        "desk-stranded-1": ("unreachable", "tcp_timeout", "direct"),
    }


def test_the_messages_name_the_machines(site: NetworkSite, misled: Misled) -> None:
    messages = {name: host["message"] for name, host in hosts(misled.view).items()}
    one, two = (site.address(name, "private") for name in site.topology.plan.desk_private)
    assert f"it is for {two}, not for {one}" in messages["desk-forward-1"]
    assert "winrm.fingerprint is" in messages["desk-pinned-1"]
    assert f"{two} port {WINRM_HTTP_PORT}" in messages["desk-http-2"]
    assert one in messages["desk-stranded-1"]


def test_the_check_of_forwards_says_which_to_mend(misled: Misled) -> None:
    assert misled.exit_code == 1
    assert {name: row["state"] for name, row in misled.checked.items()} == {
        "desk-forward-1": "elsewhere",
        "desk-forward-2": "works",
        "desk-http-1": "missing",
        "desk-http-2": "dead",
        "desk-pinned-1": "elsewhere",
        "desk-pinned-2": "works",
        "web-forward-1": "elsewhere",
        "web-forward-2": "works",
    }
    missing = misled.checked["desk-http-1"]
    assert missing["run"][-1] in misled.said
    assert f"listenport={missing['forward']['port']} " in missing["run"][-1]
    assert missing["run"][-1].endswith(f"connectport={WINRM_HTTP_PORT}")


def _begun(site: NetworkSite, host: str, node: str, ledger: str) -> str:
    """A deployment whose first step is under way; it takes some seconds."""
    application = application_of(
        _cmd(f"echo one>>C:\\{ledger}\nping -n 4 127.0.0.1>nul\necho rest>>C:\\{ledger}"),
        _cmd(f"echo two>>C:\\{ledger}"),
    )
    run = site.submit(site.fleet(), application, host)
    assert comes_true(lambda: _written(site, node, ledger) == ["one"], 30.0), site.logs()
    return run


def test_a_relay_that_goes_down_in_mid_step_is_named_while_it_is_and_costs_nothing_but_time(
    site: NetworkSite,
) -> None:
    node, ledger = site.topology.plan.desk_private[0], site.new_name("ledger")
    run = _begun(site, "desk-forward-1", node, ledger)

    site.topology.windows.kill_relay()
    try:
        down = site.verify(site.fleet(), "desk-forward", "desk-http", "web-forward")
    finally:
        site.topology.windows.start_relay(site.topology.plan.forwards)
    view = site.ended(run)

    assert set(ends(down).values()) == {("unreachable", "proxy_tcp_refused", f"via {WINDOWS_PROXY}")}
    assert ends(view) == {"desk-forward-1": ("ok", None, f"via {WINDOWS_PROXY}")}
    assert _written(site, node, ledger) == ["one", "rest", "two"]


def test_a_host_that_the_windows_proxy_loses_sight_of_for_a_while_goes_on(site: NetworkSite) -> None:
    node, ledger = site.topology.plan.desk_private[1], site.new_name("ledger")
    run = _begun(site, "desk-forward-2", node, ledger)

    host = site.address(node, "private")
    with site.cut(WINDOWS_PROXY, input=f"ip saddr {host} drop", output=f"ip daddr {host} drop"):
        assert comes_true(lambda: _written(site, node, ledger) == ["one", "rest", "two"], 30.0), site.logs()
        during = site.shown(run)
    view = site.ended(run)

    assert during["state"] == "running"
    assert ends(view) == {"desk-forward-2": ("ok", None, f"via {WINDOWS_PROXY}")}
    assert [step["state"] for step in hosts(view)["desk-forward-2"]["steps"]] == ["ok", "ok"]
    assert _written(site, node, ledger) == ["one", "rest", "two"]


def test_the_password_is_nowhere(site: NetworkSite, deployed: Deployed, misled: Misled) -> None:
    kept = _kept(site)
    assert not _found(kept, site.topology.windows.password)

    # What is looked through is what there is: runs are found in it, in Celery's messages too.
    for view in (*deployed.views.values(), misled.view):
        assert any("redis" in place for place in _found(kept, view["id"]))
    assert any("redis" in place for place in _found(kept, deployed.views["desk-jump"]["id"], raw=False))
    assert _found(kept, PASSWORD_VARIABLE)
    assert any(place.startswith("/proc") for place in _found(kept, "lab.winrm"))


def _kept(site: NetworkSite) -> dict[str, bytes]:
    """All that the topology, its hosts and its workers have written, and every command line."""
    kept = {}
    for folder in (site.topology.directory, site.folder):
        files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        kept.update({str(path): path.read_bytes() for path in files})
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            kept[str(path)] = path.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return kept


def _found(kept: dict[str, bytes], text: str, *, raw: bool = True) -> list[str]:
    """Where a text is, as it stands or in Base64."""
    forms = [text.encode(), text.encode("utf-16-le")] if raw else []
    # The first and the last characters of Base64 say something of the neighbours too.
    forms += [base64.b64encode(b"\0" * before + text.encode())[4:-4] for before in range(3)]
    return [place for place, data in kept.items() if any(form in data for form in forms)]
