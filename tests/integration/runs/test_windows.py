"""Windows hosts from the command to the record: workers, WinRM, and the lab's stand-in machines behind it.

No Windows has run any of this.
"""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.sshd import SshdFactory
from lab.tcp import free_port
from lab.windows.portproxy import PortProxy
from tasks.deploying import MOST_LOST_BEFORE
from tasks.outcomes import RunState
from tasks.record.views import RunView
from tests.support.desk import PASSWORD_VARIABLE, Desk, running_desk
from tests.support.relay import forwarded
from tests.support.rollout import Rollout, outcomes
from tests.support.windows_host import PASSWORD
from tests.support.yaml_files import application_of, merged, write_yaml

HOSTS = 3


@pytest.fixture
def desk(rollout: Rollout, tmp_path: Path) -> Iterator[Desk]:
    rollout.site.environment[PASSWORD_VARIABLE] = PASSWORD
    with running_desk(tmp_path / "desk", HOSTS) as desk:
        yield desk


def _cmd(text: str, **more: Any) -> dict[str, Any]:
    return {"run": text, "shell": "cmd", **more}


def _verified(rollout: Rollout, fleet: dict[str, Any], *targets: str) -> RunView:
    file = write_yaml(rollout.site.folder / "fleet.yaml", fleet)
    return rollout.end(rollout.client.verify(file, list(targets)))


def test_a_verification_walks_every_stage(rollout: Rollout, desk: Desk) -> None:
    rollout.site.start_worker("official")

    view = _verified(rollout, desk.fleet(), "desk")

    assert (view.state, outcomes(view)) == (RunState.SUCCEEDED, [["ok"] * HOSTS])
    stages = [step.name for step in view.batches[0].hosts[0].steps]
    assert stages == ["dns", "tcp", "tls", "login", "command", "workdir", "privilege"]
    assert [len(host.shells) for host in desk.hosts.values()] == [0] * HOSTS


def test_a_host_whose_certificate_is_not_checked_is_warned_of_in_the_run_and_in_the_workers_log(
    rollout: Rollout, desk: Desk
) -> None:
    rollout.site.start_worker("official")
    careless = {"address": desk.addresses["desk-1"], "winrm": {"ignore_certificate": True}}

    view = _verified(rollout, desk.fleet(winrm={}, hosts={"desk-1": careless}), "desk")

    assert (view.state, outcomes(view)) == (RunState.SUCCEEDED, [["ok"]])
    (warning,) = view.warnings
    assert warning.startswith("desk-1: any certificate is taken")
    assert rollout.site.logs().count(f"run {view.id}: {warning}") == 1


def test_one_verification_takes_hosts_of_both_systems(rollout: Rollout, desk: Desk) -> None:
    rollout.site.start_worker("official")

    view = _verified(rollout, merged(desk.fleet(), rollout.fleet()), "desk", "web")

    assert (view.state, outcomes(view)) == (RunState.SUCCEEDED, [["ok"] * 2 * HOSTS])


def test_a_deployment_goes_out_in_batches(rollout: Rollout, desk: Desk) -> None:
    rollout.site.start_worker("official")
    application = application_of(
        _cmd("echo %version% on %LONGSHORE_HOST% in batch %LONGSHORE_BATCH% of all>>C:\\ledger.txt"),
        {"run": 'Write-Output "version $env:version"'},
        rollout={"batches": [1, "100%"]},
    )

    view = rollout.end(rollout.submit(desk.fleet(), application, "desk", version="1.5"))

    assert (view.state, outcomes(view)) == (RunState.SUCCEEDED, [["ok"], ["ok", "ok"]])
    assert rollout.printed(view, "desk-1") == b"version 1.5\r\n"
    assert {name: desk.ledger(name) for name in desk.hosts} == {
        "desk-1": ["1.5 on desk-1 in batch 1 of all"],
        "desk-2": ["1.5 on desk-2 in batch 2 of all"],
        "desk-3": ["1.5 on desk-3 in batch 2 of all"],
    }


def test_a_failing_step_stops_the_rollout_and_says_why(rollout: Rollout, desk: Desk) -> None:
    rollout.site.start_worker("official")
    application = application_of(_cmd("echo no such thing&exit 7"), rollout={"batches": [1, "100%"]})

    view = rollout.end(rollout.submit(desk.fleet(), application, "desk"))

    assert (view.state, outcomes(view)) == (RunState.FAILED, [["failed"], ["not_started"] * 2])
    host = view.batches[0].hosts[0]
    assert (host.cause, host.steps[0].exit_code) == ("step_failed", 7)
    assert "ended with exit code 7: no such thing" in host.message


def test_an_upload_arrives(rollout: Rollout, desk: Desk, tmp_path: Path) -> None:
    rollout.site.start_worker("official")
    folder = tmp_path / "site"
    (folder / "css").mkdir(parents=True)
    (folder / "index.html").write_text("hello")
    (folder / "css" / "main.css").write_bytes(bytes(range(256)) * 3000)
    application = application_of({"upload": {"from": str(folder), "to": "C:\\site"}})

    view = rollout.end(rollout.submit(desk.fleet(), application, "desk"))

    assert view.state is RunState.SUCCEEDED
    machine = desk.hosts["desk-1"].machine
    assert machine.place("C:\\site\\index.html").read_text() == "hello"
    assert machine.place("C:\\site\\css\\main.css").read_bytes() == bytes(range(256)) * 3000


def test_an_upload_that_is_cut_goes_on_where_it_was(rollout: Rollout, desk: Desk, tmp_path: Path) -> None:
    rollout.site.start_worker("official")
    _verified(rollout, desk.fleet(), "desk-1")
    file, host = tmp_path / "site.bin", desk.hosts["desk-1"]
    file.write_bytes(bytes(range(256)) * 8000)
    for _ in range(3):
        host.trouble.drop_next("Send", carried_out=True)

    application = application_of({"upload": {"from": str(file), "to": "C:\\site.bin"}})
    view = rollout.end(rollout.submit(desk.fleet(), application, "desk-1"))

    assert view.state is RunState.SUCCEEDED, view.batches
    assert host.machine.place("C:\\site.bin").read_bytes() == file.read_bytes()


def test_a_connection_that_is_lost_in_the_login_is_made_again_some_times(
    rollout: Rollout, desk: Desk
) -> None:
    rollout.site.start_worker("official")
    _verified(rollout, desk.fleet(), "desk-1", "desk-2")
    desk.server.drop()
    blinking, bad = desk.hosts["desk-1"], desk.hosts["desk-2"]
    for host, times in ((blinking, MOST_LOST_BEFORE), (bad, MOST_LOST_BEFORE + 1)):
        for _ in range(times):
            host.trouble.drop_next("Create", carried_out=False)

    application = application_of(_cmd("echo one>>C:\\ledger.txt"), rollout={"max_failed": 1})
    view = rollout.end(rollout.submit(desk.fleet(2), application, "desk"))

    assert outcomes(view) == [["ok", "unreachable"]]
    assert (desk.ledger("desk-1"), desk.ledger("desk-2")) == (["one"], [])
    assert view.batches[0].hosts[1].cause == "connection_lost"


def test_ten_steps_cost_few_requests(rollout: Rollout, desk: Desk) -> None:
    rollout.site.start_worker("official")
    _verified(rollout, desk.fleet(), "desk-1")
    before = desk.hosts["desk-1"].requests.copy()

    view = rollout.end(rollout.submit(desk.fleet(), application_of(*[_cmd("echo x")] * 10), "desk-1"))

    assert view.state is RunState.SUCCEEDED
    cost = desk.hosts["desk-1"].requests - before
    assert cost.total() - cost["Receive"] <= 12, cost


def test_a_lost_workers_host_goes_on_under_another_and_no_step_runs_twice(
    rollout: Rollout, desk: Desk
) -> None:
    first = rollout.site.start_worker("official")
    application = application_of(
        _cmd("echo one>>C:\\ledger.txt"), _cmd("ping -n 5 127.0.0.1>nul\necho two>>C:\\ledger.txt")
    )
    run = rollout.submit(desk.fleet(), application, "desk-1")
    rollout.site.wait_for(lambda: desk.ledger("desk-1") == ["one"], "the first step")

    rollout.site.end_worker(first, number=signal.SIGKILL)
    rollout.site.start_worker("official")
    view = rollout.end(run)

    assert (view.state, outcomes(view)) == (RunState.SUCCEEDED, [["ok"]])
    assert desk.ledger("desk-1") == ["one", "two"]


def test_a_connection_that_is_cut_in_mid_step_is_made_again(rollout: Rollout, desk: Desk) -> None:
    rollout.site.start_worker("official")
    application = application_of(
        _cmd("echo one>>C:\\ledger.txt"), _cmd("ping -n 3 127.0.0.1>nul\necho two>>C:\\ledger.txt")
    )
    run = rollout.submit(desk.fleet(), application, "desk-1")
    rollout.site.wait_for(lambda: desk.ledger("desk-1") == ["one"], "the first step")

    desk.server.drop()
    view = rollout.end(run)

    assert (view.state, outcomes(view)) == (RunState.SUCCEEDED, [["ok"]])
    assert desk.ledger("desk-1") == ["one", "two"]


def test_a_cancelled_step_is_ended_and_confirmed_gone(rollout: Rollout, desk: Desk) -> None:
    rollout.site.start_worker("official")
    application = application_of(_cmd("echo one>>C:\\ledger.txt\nping -n 60 127.0.0.1>nul"))
    run = rollout.submit(desk.fleet(), application, "desk-1")
    rollout.site.wait_for(lambda: desk.ledger("desk-1") == ["one"], "the step")

    rollout.client.steer.cancel(run.id)
    view = rollout.end(run)

    assert (view.state, outcomes(view)) == (RunState.CANCELLED, [["cancelled"]])
    assert desk.hosts["desk-1"].machine.processes.running() == []


def test_a_host_that_restarts_in_mid_step_needs_a_person(rollout: Rollout, desk: Desk) -> None:
    rollout.site.start_worker("official")
    application = application_of(_cmd("echo one>>C:\\ledger.txt\nping -n 60 127.0.0.1>nul"))
    run = rollout.submit(desk.fleet(), application, "desk-1")
    rollout.site.wait_for(lambda: desk.ledger("desk-1") == ["one"], "the step")

    desk.hosts["desk-1"].reboot()
    desk.server.drop()
    view = rollout.end(run)

    assert (view.state, outcomes(view)) == (RunState.NEEDS_ATTENTION, [["indeterminate"]])
    assert view.batches[0].hosts[0].cause == "host_restarted"
    assert desk.ledger("desk-1") == ["one"]


def test_hosts_are_reached_through_a_linux_proxy(
    rollout: Rollout, desk: Desk, sshd_factory: SshdFactory
) -> None:
    rollout.site.start_worker("official")
    fleet = merged(desk.fleet(proxy="bastion"), rollout.fleet(proxy=sshd_factory()))

    view = rollout.end(rollout.submit(fleet, application_of(_cmd("echo one>>C:\\ledger.txt")), "desk"))

    assert (view.state, view.batches[0].hosts[0].route) == (RunState.SUCCEEDED, "via bastion")
    assert [desk.ledger(name) for name in desk.hosts] == [["one"]] * HOSTS


@pytest.fixture
def proxy(desk: Desk) -> Iterator[PortProxy]:
    targets = {free_port(): (address, desk.server.port) for address in desk.addresses.values()}
    with PortProxy("127.0.0.1", targets) as proxy:
        yield proxy


def test_hosts_are_reached_through_a_windows_proxys_ports(
    rollout: Rollout, desk: Desk, proxy: PortProxy
) -> None:
    rollout.site.start_worker("official")

    view = rollout.end(
        rollout.submit(
            forwarded(desk.fleet(), proxy), application_of(_cmd("echo one>>C:\\ledger.txt")), "desk"
        )
    )

    assert (view.state, view.batches[0].hosts[0].route) == (RunState.SUCCEEDED, "via winproxy")
    assert [desk.ledger(name) for name in desk.hosts] == [["one"]] * HOSTS
    assert proxy.relayed >= 2 * HOSTS


def test_a_port_that_is_forwarded_to_another_host_is_found_out(
    rollout: Rollout, desk: Desk, proxy: PortProxy
) -> None:
    rollout.site.start_worker("official")
    fleet = forwarded(desk.fleet(), proxy)
    first, second, *_ = proxy.targets
    proxy.targets[first] = proxy.targets[second]

    view = _verified(rollout, fleet, "desk")

    assert outcomes(view) == [["unreachable", "ok", "ok"]]
    lost = view.batches[0].hosts[0]
    assert lost.cause == "tls"
    assert "it is for 127.40.0.2, not for 127.40.0.1" in lost.message


def test_a_forward_whose_target_is_down_names_the_proxys_port(
    rollout: Rollout, desk: Desk, proxy: PortProxy
) -> None:
    rollout.site.start_worker("official")
    fleet = forwarded(desk.fleet(), proxy)
    first = next(iter(proxy.targets))
    proxy.targets[first] = ("127.0.0.1", free_port())

    view = _verified(rollout, fleet, "desk-1")

    lost = view.batches[0].hosts[0]
    assert (str(lost.outcome), lost.cause) == ("unreachable", "proxy_forward_refused")
    assert str(first) in lost.message


def test_a_relay_that_goes_down_in_mid_step_and_comes_back_costs_nothing_but_time(
    rollout: Rollout, desk: Desk, proxy: PortProxy
) -> None:
    rollout.site.start_worker("official")
    application = application_of(
        _cmd("echo one>>C:\\ledger.txt"), _cmd("ping -n 3 127.0.0.1>nul\necho two>>C:\\ledger.txt")
    )
    run = rollout.submit(forwarded(desk.fleet(), proxy), application, "desk-1")
    rollout.site.wait_for(lambda: desk.ledger("desk-1") == ["one"], "the first step")

    proxy.cut()
    proxy.listen()
    view = rollout.end(run)

    assert (view.state, outcomes(view)) == (RunState.SUCCEEDED, [["ok"]])
    assert desk.ledger("desk-1") == ["one", "two"]


def test_a_wrong_password_is_told_as_one(rollout: Rollout, desk: Desk) -> None:
    rollout.site.environment[PASSWORD_VARIABLE] = "another"
    rollout.site.start_worker("official")

    view = _verified(rollout, desk.fleet(), "desk-1")

    host = view.batches[0].hosts[0]
    assert (str(host.outcome), host.cause) == ("unreachable", "auth")


def test_the_password_is_nowhere(rollout: Rollout, desk: Desk) -> None:
    rollout.site.start_worker("official")
    application = application_of(_cmd("echo got %token%"))
    application["parameters"]["token"] = {"secret": {"env": PASSWORD_VARIABLE}}

    view = rollout.end(rollout.submit(desk.fleet(), application, "desk-1"))

    assert rollout.printed(view, "desk-1") == b"got ***\r\n"
    kept = [rollout.site.logs().encode(), *_everything(rollout)]
    files = [each for each in desk.hosts["desk-1"].machine.drive.rglob("*") if each.is_file()]
    kept += [each.read_bytes() for each in files if each.name != "log"]
    assert not [each for each in kept if PASSWORD.encode() in each]


def _everything(rollout: Rollout) -> Iterator[bytes]:
    for client in (rollout.site.record, rollout.site.broker):
        for key in client.scan_iter():
            yield key + (client.dump(key) or b"")
