"""Who must reach whom, and the rules made of it."""

from pathlib import Path
from typing import Any

import pytest

from config.firewall import nftables_rules
from config.fleet import Fleet
from config.loading import load_fleet
from config.reachability import Reach, reachability
from tests.support.files import DESIGN_FLEET, written


def rows_of(fleet: Fleet) -> tuple[Reach, ...]:
    return reachability(fleet, redis_host="198.51.100.1", redis_port=6379)


def fleet_of(**pool: Any) -> Fleet:
    return Fleet.model_validate(
        {
            "pools": {"official": {"kind": "official", **pool}},
            "credentials": {"d": {"user": "d", "key_file": "k"}},
            "proxies": {
                "edge": {"os": "linux", "address": "203.0.113.10", "credential": "d"},
                "inner": {
                    "os": "linux",
                    "address": "10.0.0.2",
                    "credential": "d",
                    "proxy": "edge",
                    "addresses": ["10.2.0.1"],
                },
                "unused": {"os": "linux", "address": "203.0.113.12", "credential": "d"},
            },
            "clusters": {
                "db": {
                    "os": "linux",
                    "pool": "official",
                    "credential": "d",
                    "proxy": "inner",
                    "hosts": {
                        "db-1": "10.2.0.11",
                        "db-2": {"address": "fd00::12", "port": 2222},
                        "db-3": {"address": "db-3.example", "proxy": None},
                    },
                }
            },
        }
    )


def test_each_connection_of_the_design_is_a_row_and_each_once(tmp_path: Path) -> None:
    rows = rows_of(load_fleet(written(tmp_path, "fleet.yaml", DESIGN_FLEET)))
    assert [(row.source.name, row.destination.name, row.port, row.why) for row in rows] == [
        ("official", "redis", 6379, "jobs and records"),
        ("frankfurt", "redis", 6379, "jobs and records"),
        ("official", "bastion", 22, "SSH to the proxy"),
        ("bastion", "web-1", 22, "SSH"),
        ("bastion", "web-2", 2222, "SSH"),
        ("official", "winproxy", 15986, "forwarded to desk-1"),
        ("winproxy", "desk-1", 5986, "WinRM"),
    ]


def test_nested_proxies_reach_each_other_and_unused_ones_nothing() -> None:
    rows = rows_of(fleet_of())
    assert [(row.source.name, row.destination.name) for row in rows] == [
        ("official", "redis"),
        ("official", "edge"),
        ("edge", "inner"),
        ("inner", "db-1"),
        ("inner", "db-2"),
        ("official", "db-3"),
    ]


def rules_of(fleet: Fleet, machine: str) -> list[str]:
    """The lines of a machine's rules that accept something."""
    (rules,) = [rules for rules in nftables_rules(rows_of(fleet)) if rules.machine.name == machine]
    return [line.strip() for line in rules.text.splitlines() if line.strip().endswith("accept")]


def test_known_addresses_stand_in_the_rules() -> None:
    fleet = fleet_of(addresses=["198.51.100.7", "198.51.100.0/28", "2001:db8::/64"])
    assert rules_of(fleet, "edge") == ["ip saddr { 198.51.100.0/28 } tcp dport 22 accept"]
    assert rules_of(fleet, "db-3") == [
        "ip saddr { 198.51.100.0/28 } tcp dport 22 accept",
        "ip6 saddr { 2001:db8::/64 } tcp dport 22 accept",
    ]


def test_a_proxy_connects_from_its_declared_side() -> None:
    assert rules_of(fleet_of(), "inner") == ["ip saddr { 203.0.113.10 } tcp dport 22 accept"]
    assert rules_of(fleet_of(), "db-1") == ["ip saddr { 10.2.0.1 } tcp dport 22 accept"]


def test_unknown_addresses_are_a_set_to_be_filled_in() -> None:
    (rules,) = [rules for rules in nftables_rules(rows_of(fleet_of())) if rules.machine.name == "edge"]
    assert "set pool_official {" in rules.text
    assert "to be filled in: the addresses from which pool official connects" in rules.text
    assert rules_of(fleet_of(), "edge") == ["ip saddr @pool_official tcp dport 22 accept"]
    assert rules_of(fleet_of(), "db-2") == ["ip6 saddr @proxy_inner_v6 tcp dport 2222 accept"]


def test_two_pools_never_share_a_set() -> None:
    pools = {name: {"kind": "official"} for name in ("a-b", "a_b", "a.b")}
    assert rules_of(Fleet.model_validate({"pools": pools}), "redis") == [
        "ip saddr @pool_a_b tcp dport 6379 accept",
        "ip saddr @pool_a_b_ tcp dport 6379 accept",
        "ip saddr @pool_a_b__ tcp dport 6379 accept",
    ]


def test_windows_machines_get_no_nftables_rules(tmp_path: Path) -> None:
    rules = nftables_rules(rows_of(load_fleet(written(tmp_path, "fleet.yaml", DESIGN_FLEET))))
    assert [machine.machine.name for machine in rules] == ["redis", "bastion", "web-1", "web-2"]


@pytest.mark.parametrize("machine", ["edge", "inner", "db-1", "db-2", "db-3"])
def test_a_machine_opens_no_port_that_no_row_names(machine: str) -> None:
    ports = {str(row.port) for row in rows_of(fleet_of()) if row.destination.name == machine}
    assert {line.split()[-2] for line in rules_of(fleet_of(), machine)} == ports
