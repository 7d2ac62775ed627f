"""What nft says of the rules."""

import os
import shutil
import subprocess

import pytest

from config.firewall import nftables_rules
from config.fleet import Fleet
from config.reachability import reachability

pytestmark = pytest.mark.integration


@pytest.fixture(name="nft")
def _nft() -> str:
    path = shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin")
    missing = "nft is not installed" if path is None else "nft needs root" if os.geteuid() != 0 else ""
    if missing:
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return str(path)


@pytest.mark.parametrize(
    "addresses", [[], ["198.51.100.7", "198.51.100.0/24", "2001:db8::7"], ["0.0.0.0/0", "::/0"]]
)
@pytest.mark.parametrize("pool", ["official", "a-b.c", "1" * 128])
def test_nft_accepts_the_rules(nft: str, addresses: list[str], pool: str) -> None:
    fleet = Fleet.model_validate(
        {
            "pools": {pool: {"kind": "official", "addresses": addresses}},
            "credentials": {"d": {"user": "d", "key_file": "k"}},
            "proxies": {"edge": {"os": "linux", "address": "edge.example", "credential": "d"}},
            "clusters": {
                "db": {
                    "os": "linux",
                    "pool": pool,
                    "credential": "d",
                    "proxy": "edge",
                    "hosts": {
                        "db-1": "10.2.0.11",
                        "db-2": "fd00::12",
                        "db-3": {"address": "db-3.example", "proxy": None},
                    },
                }
            },
        }
    )
    rules = nftables_rules(reachability(fleet, redis_host="redis.example", redis_port=6379))
    assert len(rules) == 5
    for machine in rules:
        done = subprocess.run(
            [nft, "-c", "-f", "-"],
            input=machine.text,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        assert done.returncode == 0, done.stderr + machine.text
