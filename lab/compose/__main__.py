"""Writes what the containers of the ``lab`` profile need: keys, sshd's files, the fleet, a package."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from lab.keys import make_key
from lab.network_fleet import SELF_HOSTED_POOL, fleet_document
from lab.network_plan import PACKAGES, PROXY, gateway_rules, plan_networks
from lab.package import make_package
from lab.sshd_files import write_sshd_files
from lab.yaml_file import write_yaml

LOGIN = "deploy"
HOSTS_OF_EACH_KIND = 2
_KEY_IN_WORKER = "/keys/deploy"


def main() -> int:
    """Write the lab's files, once: a directory that has them is left as it is."""
    parser = argparse.ArgumentParser(prog="python -m lab.compose", description=main.__doc__)
    parser.add_argument("--state", type=Path, required=True, help="what the lab's containers read")
    parser.add_argument("--official", type=Path, required=True, help="keys of the official pool")
    parser.add_argument("--self-hosted", type=Path, required=True, help="keys of the self-hosted pool")
    parser.add_argument("--owner", type=int, default=os.geteuid(), help="user id of the workers")
    arguments = parser.parse_args()
    if not (arguments.state / "fleet.yaml").exists():
        write_files(arguments.state, arguments.official, arguments.self_hosted, arguments.owner)
    return 0


def write_files(state: Path, official: Path, self_hosted: Path, owner: int) -> None:
    """Write everything; the fleet file comes last, as the sign that the rest is there."""
    plan = plan_networks(direct=HOSTS_OF_EACH_KIND, private=HOSTS_OF_EACH_KIND, inside=HOSTS_OF_EACH_KIND)
    keys = {"official": _worker_key(official, owner), SELF_HOSTED_POOL: _worker_key(self_hosted, owner)}
    host_keys: dict[str, str] = {}
    for node in plan.with_sshd:
        directory = state / "hosts" / node.name
        directory.mkdir(parents=True, exist_ok=True)
        pool = SELF_HOSTED_POOL if node.name in plan.inside else "official"
        host_keys[node.name] = write_sshd_files(
            directory, authorized_key=keys[pool], forward_only=node.name == PROXY
        )
    (state / "packages").mkdir(exist_ok=True)
    package = make_package(state / "packages", "1.0")
    (state / "package.txt").write_text(
        f"http://{plan.nodes[PACKAGES].address}/{package.path.name} {package.sha256}\n"
    )
    (state / "gateway.nft").write_text(gateway_rules())
    credential = {"user": LOGIN, "key_file": _KEY_IN_WORKER}
    document = fleet_document(plan, host_keys, {"official": credential, SELF_HOSTED_POOL: credential})
    write_yaml(state / "fleet.yaml", document)


def _worker_key(directory: Path, owner: int) -> str:
    path = directory / "deploy"
    public = make_key(path)
    shutil.chown(path, owner)
    return public


if __name__ == "__main__":
    sys.exit(main())
