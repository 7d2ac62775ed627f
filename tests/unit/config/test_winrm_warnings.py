"""Every run on hosts that go without a check or without encryption says so."""

from config.fleet import Fleet
from config.routing import Router
from config.winrm_warnings import target_warnings, winrm_warnings


def fleet_of(**hosts: dict[str, bool]) -> Fleet:
    return Fleet.model_validate(
        {
            "pools": {"official": {"kind": "official"}},
            "credentials": {"admin": {"user": "a", "password": {"env": "P"}}},
            "clusters": {
                "desk": {
                    "os": "windows",
                    "pool": "official",
                    "credential": "admin",
                    "hosts": {name: {"address": name, "winrm": winrm} for name, winrm in hosts.items()},
                }
            },
        }
    )


def test_each_host_that_goes_without_is_named() -> None:
    fleet = fleet_of(
        a={"ignore_certificate": True}, b={"insecure": True}, c={}, d={"ignore_certificate": True}
    )
    taken, read = winrm_warnings(fleet, ["desk"])
    assert taken.startswith("Warning: a and d: any certificate is taken")
    assert read.startswith("Warning: b: http without encryption")


def test_hosts_that_are_no_target_are_not() -> None:
    fleet = fleet_of(a={"ignore_certificate": True}, b={})
    assert winrm_warnings(fleet, ["b"]) == ()
    assert len(winrm_warnings(fleet, ["a"])) == 1


def test_many_hosts_are_counted() -> None:
    fleet = fleet_of(**{f"h{index}": {"insecure": True} for index in range(9)})
    (warning,) = winrm_warnings(fleet, ["desk"])
    assert "h0, h1, h2, h3, h4, h5 and 3 more: " in warning


def test_a_run_says_the_same_of_its_hosts_as_the_fleet() -> None:
    fleet = fleet_of(a={"ignore_certificate": True}, b={"insecure": True}, c={})
    router = Router(fleet)
    assert target_warnings([router.target(name) for name in "abc"]) == winrm_warnings(fleet, ["desk"])
    assert target_warnings([router.target("c")]) == ()
