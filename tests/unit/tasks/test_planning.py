"""From a fleet, an application and what was asked for to a plan."""

import sys
from pathlib import Path
from typing import Any

import pytest

from config.application import Application
from config.errors import BadInputError
from config.fleet import Fleet
from config.loading import load_application, load_fleet
from tasks.plan import Plan
from tasks.planning import (
    parameters_for,
    plan_deployment,
    plan_verification,
    resolve_target,
    select_hosts,
)
from tests.support.files import DESIGN_APPLICATION, DESIGN_FLEET, written


def fleet_of(**changes: Any) -> Fleet:
    """A fleet of two Linux clusters in two pools, the second behind two proxies."""
    data: dict[str, Any] = {
        "pools": {"official": {"kind": "official"}, "frankfurt": {"kind": "self-hosted"}},
        "credentials": {
            "deploy": {"user": "deploy", "key_file": "k"},
            "root": {"user": "root", "password": {"env": "ROOT"}},
        },
        "proxies": {
            "edge": {"os": "linux", "address": "203.0.113.10", "credential": "deploy", "port": 2022},
            "inner": {"os": "linux", "address": "10.0.0.2", "credential": "root", "proxy": "edge"},
            "winproxy": {"os": "windows", "address": "203.0.113.11"},
        },
        "clusters": {
            "web": {
                "os": "linux",
                "pool": "official",
                "credential": "deploy",
                "hosts": {"web-2": "10.1.0.2", "web-1": "10.1.0.1"},
            },
            "db": {
                "os": "linux",
                "pool": "frankfurt",
                "credential": "deploy",
                "proxy": "inner",
                "port": 2222,
                "become": True,
                "hosts": {
                    "db-1": {"address": "10.2.0.1", "port": 22, "credential": "root"},
                    "db-2": {"address": "10.2.0.2", "proxy": None, "tags": {"zone": "b"}},
                    "db-3": {"address": "10.2.0.3", "proxy": "edge"},
                    "db-4": {"address": "10.2.0.4", "proxy": "winproxy", "forward_port": 10022},
                },
            },
            "empty": {"os": "linux", "pool": "official", "hosts": {}},
        },
    }
    return Fleet.model_validate(data | changes)


def application_of(**changes: Any) -> Application:
    data: dict[str, Any] = {
        "application": "shop",
        "parameters": {
            "version": {"required": True},
            "color": {"default": "red"},
            "token": {"secret": {"env": "TOKEN"}},
        },
        "actions": [{"run": "true", "in": "/opt/{{ version }}"}],
        "rollout": {"batches": [1, "50%"], "max_failed": "10%"},
    }
    return Application.model_validate(data | changes)


def test_hosts_come_in_the_order_of_the_fleet_and_each_once() -> None:
    assert select_hosts(fleet_of(), ["db-2", "web-1", "web", "db-1"]) == ("web-2", "web-1", "db-1", "db-2")


def test_every_unknown_target_is_named_with_a_near_one() -> None:
    with pytest.raises(BadInputError) as caught:
        select_hosts(fleet_of(), iter(["wep", "web", "zzz"]))
    assert str(caught.value) == (
        'The fleet has no cluster or host "wep"; did you mean "web"?\n'
        'The fleet has no cluster or host "zzz"; its clusters: web, db and empty'
    )


def test_a_target_takes_from_its_cluster_what_it_leaves_open() -> None:
    fleet = fleet_of()
    one, two = resolve_target(fleet, "db-1"), resolve_target(fleet, "db-2")
    assert (one.port, two.port) == (22, 2222)
    assert (one.credential.user, two.credential.user) == ("root", "deploy")
    assert (one.pool, one.cluster, one.os, one.work_directory) == ("frankfurt", "db", "linux", ".longshore")
    assert one.become is not None
    assert one.become.user == "root"
    assert two.tags == {"zone": "b"}


def test_proxies_are_passed_nearest_to_the_worker_first() -> None:
    target = resolve_target(fleet_of(), "db-1")
    assert [(hop.name, hop.port, hop.credential.user) for hop in target.hops] == [
        ("edge", 2022, "deploy"),
        ("inner", 22, "root"),
    ]
    assert (target.route, target.route_text) == ("jump", "via edge > inner")


def test_a_host_can_have_another_proxy_or_none() -> None:
    fleet = fleet_of()
    assert [hop.name for hop in resolve_target(fleet, "db-3").hops] == ["edge"]
    direct = resolve_target(fleet, "db-2")
    assert (direct.route, direct.hops, direct.route_text) == ("direct", (), "direct")


def test_a_forwarded_host_keeps_its_own_address() -> None:
    target = resolve_target(fleet_of(), "db-4")
    assert (target.route, target.address, target.port) == ("forward", "10.2.0.4", 2222)
    assert target.forward is not None
    assert (target.forward.address, target.forward.port) == ("203.0.113.11", 10022)
    assert target.route_text == "via winproxy"


@pytest.mark.parametrize(
    ("winrm", "port"), [({}, 5986), ({"scheme": "https"}, 5986), ({"scheme": "http"}, 5985)]
)
def test_windows_hosts_have_the_port_of_their_scheme(winrm: dict[str, str], port: int) -> None:
    cluster = {
        "os": "windows",
        "pool": "official",
        "credential": "root",
        "winrm": winrm,
        "hosts": {"w": "10.0.0.1"},
    }
    assert resolve_target(fleet_of(clusters={"desk": cluster}), "w").port == port


def test_linux_hosts_have_port_22() -> None:
    assert resolve_target(fleet_of(), "web-1").port == 22


def test_a_target_that_does_not_exist_is_named_with_a_near_one() -> None:
    with pytest.raises(BadInputError, match='no host "web-3"; did you mean "web-'):
        resolve_target(fleet_of(), "web-3")


def test_references_to_nothing_are_refused_though_no_file_was_loaded() -> None:
    with pytest.raises(BadInputError, match='no credential "deploy", which host "web-1" needs'):
        resolve_target(fleet_of(credentials={}), "web-1")
    with pytest.raises(BadInputError, match='no proxy "edge"'):
        resolve_target(fleet_of(proxies={}), "db-3")
    cycle = {"edge": {"os": "linux", "address": "a", "credential": "deploy", "proxy": "edge"}}
    with pytest.raises(BadInputError, match="needs itself: edge > edge"):
        resolve_target(fleet_of(proxies=cycle), "db-3")


def test_parameters_are_values_and_references() -> None:
    values, secrets = parameters_for(application_of(), {"version": "1.4"})
    assert values == {"version": "1.4", "color": "red"}
    assert {name: reference.env for name, reference in secrets.items()} == {"token": "TOKEN"}
    assert parameters_for(application_of(), {"version": "1", "color": ""})[0]["color"] == ""


def test_all_wrong_parameters_are_listed_and_no_secret_is_shown() -> None:
    with pytest.raises(BadInputError) as caught:
        parameters_for(application_of(), {"verison": "1", "token": "hunter2", "color": "a\0b"})
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert 'no parameter "verison"; did you mean "version"?' in lines[0]
    assert '"token" is a secret' in lines[1]
    assert "NUL" in lines[2]
    assert '"version" is required' in lines[3]
    assert "hunter2" not in str(caught.value)


def test_a_value_that_is_not_utf8_is_refused_before_it_is_written_anywhere() -> None:
    with pytest.raises(BadInputError, match='"version" has bytes in it that are not UTF-8'):
        plan_deployment(fleet_of(), application_of(), ["web"], {"version": "1\udcff"})


def test_a_deployment_is_planned_in_batches() -> None:
    plan = plan_deployment(fleet_of(), application_of(), ["web"], {"version": "1.4"})
    assert plan.batches == (("web-2",), ("web-1",))
    assert list(plan.hosts) == ["web-2", "web-1"]
    assert (plan.kind, plan.max_failed, plan.title) == ("deployment", "10%", "shop 1.4")
    assert plan.secrets["token"].env == "TOKEN"
    assert "version" in plan.parameters


def test_a_plan_is_valid_though_it_was_not_validated() -> None:
    plan = plan_deployment(fleet_of(), application_of(), ["db-1", "db-3"], {"version": "1.4"})
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    verification = plan_verification(fleet_of(), ["web"])
    assert Plan.model_validate_json(verification.model_dump_json()) == verification


def test_a_deployment_to_two_clusters_is_refused() -> None:
    with pytest.raises(BadInputError, match="goes to one cluster, and these hosts are in 2: web and db"):
        plan_deployment(fleet_of(), application_of(), ["web-1", "db-1"], {"version": "1"})


def test_a_verification_may_span_pools() -> None:
    plan = plan_verification(fleet_of(), ["web", "db-1"])
    assert plan.batches == (("web-2", "web-1", "db-1"),)
    assert {host.pool for host in plan.hosts.values()} == {"official", "frankfurt"}


@pytest.mark.parametrize(
    ("targets", "reason"), [([], "no target was named"), (["empty"], "empty has no hosts")]
)
def test_nothing_to_do_is_refused(targets: list[str], reason: str) -> None:
    with pytest.raises(BadInputError, match=reason):
        plan_verification(fleet_of(), targets)
    with pytest.raises(BadInputError, match=reason):
        plan_deployment(fleet_of(), application_of(), targets, {"version": "1"})


def test_a_field_that_comes_out_wrong_is_refused(tmp_path: Path) -> None:
    fleet = load_fleet(written(tmp_path, "fleet.yaml", DESIGN_FLEET))
    application = load_application(written(tmp_path, "shop.yaml", DESIGN_APPLICATION))
    with pytest.raises(BadInputError, match=r"actions\[0\]\.fetch\.sha256: expected a SHA-256 checksum"):
        plan_deployment(fleet, application, ["web"], {"version": "1.4"})


def test_a_template_that_fails_on_its_values_is_refused() -> None:
    application = application_of(actions=[{"run": "true", "env": {"A": "{{ version.nothing }}"}}])
    with pytest.raises(BadInputError, match=r"actions\[0\]\.env\.A: the template can't be filled in"):
        plan_deployment(fleet_of(), application, ["web"], {"version": "1"})


def test_a_verification_takes_hosts_of_both_systems_over_every_route(tmp_path: Path) -> None:
    fleet = load_fleet(written(tmp_path, "fleet.yaml", DESIGN_FLEET))

    plan = plan_verification(fleet, ["web", "desk"])

    assert {host.os for host in plan.hosts.values()} == {"linux", "windows"}
    assert plan.hosts["desk-1"].route == "forward"


def test_a_deployment_goes_to_hosts_of_one_system() -> None:
    hosts = {"a": "10.0.0.1", "b": {"address": "10.0.0.2", "os": "windows"}}
    fleet = fleet_of(
        clusters={"web": {"os": "linux", "pool": "official", "credential": "deploy", "hosts": hosts}}
    )

    with pytest.raises(BadInputError, match="of one operating system, and of these b run Windows"):
        plan_deployment(fleet, application_of(), ["web"], {"version": "1"})


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"run": "true", "become": True}, "become is for Linux hosts"),
        ({"service": {"name": "x", "state": "reloaded"}}, "reloaded is for Linux hosts"),
        ({"service": {"name": "x", "state": "started", "command": "rc"}}, "command is for Linux hosts"),
        ({"unpack": {"archive": "C:/a.tgz", "to": "C:/a"}}, "Windows hosts unpack zip archives"),
        ({"upload": {"from": "a", "to": "C:/a", "mode": "0644"}}, "mode is for Linux hosts"),
    ],
)
def test_what_windows_hosts_can_not_do_is_refused_while_planning(action: dict[str, Any], said: str) -> None:
    desk = {"os": "windows", "pool": "official", "credential": "deploy", "hosts": {"a": "10.0.0.1"}}
    with pytest.raises(BadInputError, match=said):
        plan_deployment(
            fleet_of(clusters={"desk": desk}), application_of(actions=[action]), ["desk"], {"version": "1"}
        )


@pytest.mark.parametrize(
    "action", [{"iis": {"site": "Shop", "state": "started"}}, {"run": "dir", "shell": "cmd"}]
)
def test_what_linux_hosts_can_not_do_is_refused_while_planning(action: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match="is for Windows hosts; these run Linux"):
        plan_deployment(fleet_of(), application_of(actions=[action]), ["web"], {"version": "1"})


@pytest.mark.parametrize(
    ("names", "said"), [(("Path",), "has a meaning on Windows"), (("a", "A"), "the same name")]
)
def test_names_that_windows_can_not_hold_apart_are_refused(names: tuple[str, ...], said: str) -> None:
    desk = {"os": "windows", "pool": "official", "credential": "deploy", "hosts": {"a": "10.0.0.1"}}
    parameters = {name: {"default": "x"} for name in names}
    application = application_of(parameters=parameters, actions=[{"run": "exit 0"}])
    with pytest.raises(BadInputError, match=said):
        plan_deployment(fleet_of(clusters={"desk": desk}), application, ["desk"], {})


def test_a_plan_of_ten_times_the_hosts_takes_ten_times_the_work() -> None:
    def calls_for(count: int) -> int:
        hosts = {f"web-{number}": f"10.{number // 250}.0.{number % 250}" for number in range(count)}
        cluster = {
            "os": "linux",
            "pool": "official",
            "credential": "deploy",
            "proxy": "inner",
            "hosts": hosts,
        }
        fleet, application = fleet_of(clusters={"web": cluster}), application_of()
        calls = 0

        def counted(*_: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(counted)
        try:
            plan = plan_deployment(fleet, application, ["web"], {"version": "1"})
        finally:
            sys.setprofile(None)
        assert len(plan.hosts) == count
        return calls

    few, many = calls_for(200), calls_for(2_000)
    assert many < 11 * few


@pytest.mark.parametrize(
    ("application", "given_", "said"),
    [
        ({"parameters": {"PATH": {"default": "x"}}}, {}, "parameter 'PATH': this name has a meaning"),
        ({"parameters": {"LONGSHORE_HOST": {"default": "x"}}}, {}, "this name has a meaning"),
        ({"actions": [{"run": "echo \0"}]}, {}, "actions[0]: the command has a NUL"),
        (
            {"actions": [{"run": "true"}, {"check": {"tcp": "a:{{ version }}"}}, {"run": "\0"}]},
            {"version": "70000"},
            "actions[1].check.tcp: expected host:port, an IPv6 address in brackets and a port",
        ),
        ({}, {"version": "x" * 100_000}, "its value is over 98304 bytes"),
    ],
)
def test_what_workers_could_not_compile_is_refused_before_it_is_sent(
    application: dict[str, Any], given_: dict[str, str], said: str
) -> None:
    data = {"application": "x", "parameters": {"version": {"default": "1"}}, "actions": [{"run": "true"}]}
    with pytest.raises(BadInputError) as refused:
        plan_deployment(fleet_of(), Application.model_validate(data | application), ["web"], given_)
    assert said in str(refused.value)


def test_the_plan_names_the_steps() -> None:
    application = Application.model_validate(
        {"application": "x", "actions": [{"run": "true"}, {"run": "false", "name": "no"}]}
    )
    assert plan_deployment(fleet_of(), application, ["web"], {}).steps == ("true", "no")
