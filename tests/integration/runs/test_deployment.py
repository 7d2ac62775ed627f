import json

import pytest

from tests.support.site import Site
from tests.support.sshd import Sshd

pytestmark = pytest.mark.integration


def write_fleet(site: Site, sshd: Sshd, hosts: int = 3) -> None:
    lines = [
        "pools:",
        "  official: {kind: official}",
        "credentials:",
        f"  deploy: {{user: {sshd.account.user}, key_file: {sshd.account.key_file}}}",
        "clusters:",
        "  web:",
        "    os: linux",
        "    pool: official",
        "    credential: deploy",
        f"    port: {sshd.port}",
        "    hosts:",
        *(f"      web-{n}: {{address: 127.0.1.{n}, work_directory: w{n}}}" for n in range(1, hosts + 1)),
    ]
    (site.folder / "fleet.yaml").write_text("\n".join(lines) + "\n")


def write_application(site: Site, *actions: str, rollout: str = "{}") -> None:
    lines = ["application: shop", "parameters:", "  version: {required: true}", "actions:"]
    lines += [f"  - {action}" for action in actions]
    (site.folder / "shop.yaml").write_text("\n".join([*lines, f"rollout: {rollout}"]) + "\n")


def test_verify_then_deploy_in_batches(site: Site, sshd: Sshd) -> None:
    write_fleet(site, sshd)
    write_application(site, 'run: echo "v $version on $LONGSHORE_HOST"', rollout="{batches: [1, 2]}")
    site.start_worker("official")

    verified = site.longshore("verify", "web")
    assert verified.returncode == 0, verified.stdout + verified.stderr + site.logs()
    deployed = site.longshore("deploy", "shop.yaml", "--to", "web", "--set", "version=1.4", "--json")

    assert deployed.returncode == 0, deployed.stdout + deployed.stderr + site.logs()
    view = json.loads(deployed.stdout)
    assert [[host["outcome"] for host in batch["hosts"]] for batch in view["batches"]] == [
        ["ok"],
        ["ok", "ok"],
    ]
    assert site.longshore("logs", view["id"], "web-2").stdout.count("v 1.4 on web-2") == 1
