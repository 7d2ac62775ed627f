"""Hosts pull packages by their own way out, and say what is wrong where it fails."""

from pathlib import Path
from typing import Any

import pytest

from lab.network_plan import GATEWAY
from tests.support.network_site import NetworkSite, hosts, shop

pytestmark = pytest.mark.topology


def _on(site: NetworkSite, host: str, application: dict[str, Any]) -> Path:
    """The application's folder on a host, as seen from outside."""
    folder = application["actions"][4]["link"]["from"]
    return site.topology.sshd[host].home / Path(folder).parent.relative_to(site.topology.home)


@pytest.mark.parametrize("cluster", ["direct", "private", "inside"])
def test_the_package_server_sees_hosts_themselves_or_the_gateway_they_stand_behind(
    site: NetworkSite, cluster: str
) -> None:
    application = shop(site, f"shop-1.0.tar.gz?{cluster}")
    view = site.deploy(site.fleet(), application, cluster)

    names = getattr(site.topology.plan, cluster)
    assert {name: host["outcome"] for name, host in hosts(view).items()} == dict.fromkeys(names, "ok")
    for name in names:
        folder = _on(site, name, application)
        assert (folder / "current").readlink() == site.topology.home / folder.name / "releases" / "1.0"
        assert (folder / "releases" / "1.0" / "VERSION").read_text() == "1.0\n"
        assert "installed shop 1.0" in site.printed(view["id"], name)
    clients = [
        access.client for access in site.topology.package_log.read() if access.path.endswith(f"?{cluster}")
    ]
    if cluster == "direct":
        assert sorted(clients) == [site.address(name, "public") for name in names]
    else:
        assert clients == [site.address(GATEWAY, "public")] * len(names)


@pytest.mark.parametrize(
    ("file", "fetch", "cause", "words"),
    [
        ("shop-1.0.tar.gz", {"sha256": "0" * 64}, "checksum", "0" * 64),
        ("shop-9.9.tar.gz", {}, "pull_http", "404"),
        ("", {"url": "http://packages.invalid/shop.tgz"}, "pull_dns", "packages.invalid"),
    ],
)
def test_a_pull_that_fails_says_why_and_leaves_nothing(
    site: NetworkSite, file: str, fetch: dict[str, str], cause: str, words: str
) -> None:
    application = shop(site, file, **fetch)
    view = site.deploy(site.fleet(), application, "private-1")

    failed = hosts(view)["private-1"]
    assert view["state"] == "failed"
    assert (failed["outcome"], failed["cause"]) == ("failed", cause)
    assert words in failed["message"]
    assert [step["state"] for step in failed["steps"]] == ["ok", "failed", *["pending"] * 3]
    assert list(_on(site, "private-1", application).iterdir()) == []
