"""The topology on paper."""

from itertools import chain

import pytest

from config.fleet import Fleet
from lab.network_fleet import fleet_document
from lab.network_plan import WINDOWS_PROXY, plan_networks


def test_every_machine_has_addresses_of_its_own() -> None:
    plan = plan_networks(direct=3, private=2, inside=4, desk_direct=2, desk_private=3, desk_inside=1)
    addresses = list(chain.from_iterable(node.legs.values() for node in plan.nodes.values()))
    assert len(addresses) == len(set(addresses))
    assert [node.name for node in plan.with_winrm] == [
        *plan.desk_direct,
        *plan.desk_private,
        *plan.desk_inside,
    ]
    assert {forward.host for forward in plan.forwards} == {*plan.desk_private, *plan.private}
    assert len({forward.port for forward in plan.forwards}) == len(plan.forwards)


def test_without_windows_hosts_there_is_nothing_for_them() -> None:
    plan = plan_networks(direct=1, private=1, inside=1)
    assert WINDOWS_PROXY not in plan.nodes
    assert plan.forwards == ()
    keys = dict.fromkeys(plan.nodes, "ssh-ed25519 AAAA")
    login = {"user": "deploy", "key_file": "key"}
    document = fleet_document(plan, keys, {"official": login, "frankfurt": login})
    assert {cluster.os for cluster in Fleet.model_validate(document).clusters.values()} == {"linux"}


@pytest.mark.parametrize("hosts", [{"desk_direct": 100}, {"desk_private": 50, "desk_inside": 49}])
def test_more_hosts_than_a_segment_has_addresses_for_are_refused(hosts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="100 hosts"):
        plan_networks(direct=1, private=1, inside=1, **hosts)
