"""Runs that a person steers, with real workers and a real host."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from config.causes import Cause
from producer import Run
from producer.client import BusyError
from tasks.outcomes import RunState
from tests.support.rollout import Rollout, outcomes
from tests.support.sshd import SshdFactory
from tests.support.yaml_files import application_of

pytestmark = pytest.mark.integration


def _gated(home: Path, name: str = "gate") -> dict[str, Any]:
    """A step that leaves a line in the ledger, and goes on once a file is there."""
    return {
        "run": f"echo begun-$LONGSHORE_HOST >> {home}/ledger; echo begun; "
        f"until [ -e {home}/{name} ]; do sleep 0.05; done; echo done"
    }


def _ledger(home: Path) -> list[str]:
    path = home / "ledger"
    return sorted(path.read_text().split()) if path.exists() else []


def _kinds(rollout: Rollout, run: Run) -> list[str]:
    return [event.kind for event in rollout.site.reader.events(run.id)]


def test_a_paused_run_begins_no_further_host_until_it_is_resumed(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    run = rollout.submit(rollout.fleet(3), application_of(_gated(home), rollout={"batches": [1]}))
    site.wait_for(lambda: _ledger(home) == ["begun-web-1"], "the first host under way")

    assert rollout.client.steer.pause(run.id) == 1
    (home / "gate").touch()
    site.wait_for(lambda: "host_finished" in _kinds(rollout, run), "the host under way to finish")
    assert rollout.client.steer.explain(run.id) == "The run is waiting: paused by ana."
    # A sweep has come by, and has not begun anything.
    swept = site.record.ttl("sweep")
    site.wait_for(lambda: site.record.ttl("sweep") != swept, "a sweep")
    assert _ledger(home) == ["begun-web-1"]

    rollout.client.steer.resume(run.id)
    assert outcomes(rollout.end(run)) == [["ok"]] * 3


def test_hosts_that_were_sent_when_it_was_paused_go_on_at_once_when_it_is_resumed(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official", concurrency=1)
    run = rollout.submit(rollout.fleet(3), application_of(_gated(home)))
    site.wait_for(lambda: len(_ledger(home)) == 1, "the first host under way")

    rollout.client.steer.pause(run.id)
    (home / "gate").touch()
    site.wait_for(lambda: site.broker.llen("longshore.official") == 0, "the messages to be let go")
    site.wait_for(lambda: "host_finished" in _kinds(rollout, run), "the host under way to finish")
    assert len(_ledger(home)) == 1
    rollout.client.steer.resume(run.id)

    assert outcomes(rollout.end(run)) == [["ok"] * 3]


def test_cancelling_at_once_grants_no_time(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.environment["LONGSHORE_CANCEL_GRACE"] = "600"
    site.start_worker("official")
    stubborn = f"trap '' TERM; echo $$ > {home}/pid; while :; do sleep 0.1; done"
    run = rollout.submit(rollout.fleet(1), application_of({"run": stubborn}))
    site.wait_for(lambda: (home / "pid").exists() and (home / "pid").read_text() != "", "the process")

    rollout.client.steer.cancel(run.id, now=True)
    view = rollout.end(run)

    assert (view.state, outcomes(view)) == (RunState.CANCELLED, [["cancelled"]])
    assert not psutil.pid_exists(int((home / "pid").read_text()))


def test_a_cancelled_host_that_can_not_be_asked_says_so(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.environment["LONGSHORE_RECONNECT_SECONDS"] = "2"
    site.start_worker("official")
    run = rollout.submit(rollout.fleet(1), application_of(_gated(home)))
    site.wait_for(lambda: _ledger(home) != [], "the host under way")

    rollout.sshd.kill()
    rollout.client.steer.cancel(run.id)
    view = rollout.end(run)

    host = view.batches[0].hosts[0]
    assert (view.state, host.outcome, host.cause) == (
        RunState.NEEDS_ATTENTION,
        "indeterminate",
        Cause.CANCEL_UNCONFIRMED,
    )
    (home / "gate").touch()


def test_a_retry_brings_the_same_to_the_hosts_that_failed(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    good = f'test -e {home}/mended -o "$LONGSHORE_HOST" = web-1'
    step = {"run": f"echo $LONGSHORE_HOST-$version >> {home}/ledger; {good}"}
    application = application_of(step, rollout={"batches": [2], "max_failed": 0})
    first = rollout.deploy(rollout.fleet(3), application, version="7")
    assert outcomes(first) == [["ok", "failed"], ["not_started"]]
    (rollout.site.folder / "shop.yaml").write_text("application: [")  # what is frozen is not read again

    (home / "mended").touch()
    again = rollout.client.steer.retry(first.id)
    view = rollout.end(again)

    assert outcomes(view) == [["ok", "ok"]]
    assert (view.retry_of, view.parameters["version"]) == (first.id, "7")
    assert rollout.client.run(first.id).view().followed_by == again.id
    assert _ledger(home) == ["web-1-7", "web-2-7", "web-2-7", "web-3-7"]


def test_a_rollback_brings_back_what_each_host_had(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    install = {"run": f'echo $version > {home}/has-$LONGSHORE_HOST; test "$version" != 3 || ! echo no good'}
    application = application_of(install, rollout={"batches": [2], "max_failed": 0})
    rollout.deploy(rollout.fleet(3), application, version="1")
    rollout.end(rollout.submit(rollout.fleet(3), application, to="web-1", version="2"))
    bad = rollout.deploy(rollout.fleet(3), application, version="3")
    assert outcomes(bad) == [["failed", "failed"], ["not_started"]]

    said = site.longshore("rollback", bad.id)

    assert said.returncode == 0, said.stderr
    assert "web-1: from shop 3 back to shop 2" in said.stderr
    assert "web-2: from shop 3 back to shop 1" in said.stderr
    versions = {name: (home / f"has-{name}").read_text().strip() for name in ("web-1", "web-2", "web-3")}
    assert versions == {"web-1": "2", "web-2": "1", "web-3": "1"}
    newest = json.loads(site.longshore("runs", "--json").stdout)["runs"]
    assert [run["title"] for run in newest[:2]] == ["shop 1", "shop 2"]


def test_there_is_nothing_to_go_back_to_before_the_first_release(rollout: Rollout) -> None:
    rollout.site.start_worker("official")
    first = rollout.deploy(rollout.fleet(1), application_of({"run": "true"}), version="1")

    said = rollout.site.longshore("rollback", first.id)

    assert said.returncode == 2
    assert "No earlier good release of shop is known for web-1" in said.stderr


def test_a_person_resolves_what_nobody_knows_and_the_run_goes_on(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    run = rollout.submit(rollout.fleet(2), application_of(_gated(home), rollout={"batches": [1]}))
    site.wait_for(lambda: rollout.printed(run, "web-1") == b"begun", "the first output")
    assert rollout.sshd.kill_sessions() > 0
    assert rollout.end(run).state is RunState.NEEDS_ATTENTION
    assert "waiting for a person: how web-1 ended is not known" in rollout.client.steer.explain(run.id)
    (home / "gate").touch()

    said = site.longshore("resolve", run.id, "web-1", "--as", "rerun")
    assert said.returncode == 0, said.stderr
    site.wait_for(lambda: run.view().state is RunState.SUCCEEDED, "the end of the run")

    assert _ledger(home) == ["begun-web-1", "begun-web-1", "begun-web-2"]
    assert site.longshore("resolve", run.id, "web-1", "--as", "ok").returncode == 2
    watched = site.longshore("watch", run.id)
    assert watched.returncode == 0, watched.stdout
    assert "web-1 is resolved as rerun by " in watched.stdout


def test_a_worker_that_is_asked_to_end_hands_its_hosts_over(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.environment["LONGSHORE_LEASE_SECONDS"] = "600"  # nobody waits for the lease
    first = site.start_worker("official")
    run = rollout.submit(rollout.fleet(3), application_of(_gated(home), {"run": "echo after"}))
    site.wait_for(lambda: len(_ledger(home)) == 3, "three hosts under way")
    site.start_worker("official")

    asked = time.monotonic()
    site.end_worker(first, number=signal.SIGTERM)
    site.wait_for(lambda: _kinds(rollout, run).count("host_taken_over") == 3, "three take-overs")
    took = time.monotonic() - asked
    (home / "gate").touch()
    view = rollout.end(run)

    assert outcomes(view) == [["ok"] * 3]
    assert _kinds(rollout, run).count("host_handed_over") == 3
    assert _ledger(home) == ["begun-web-1", "begun-web-2", "begun-web-3"]
    assert rollout.printed(run, "web-2") == b"begun\ndone\nafter\n"
    assert took < 30, took


def test_hosts_behind_a_proxy_that_is_down_wait_while_others_go_on(
    rollout: Rollout, sshd_factory: SshdFactory
) -> None:
    site = rollout.site
    site.environment["LONGSHORE_ROUTE_WAIT"] = "60"
    site.start_worker("official", concurrency=1)
    proxy = sshd_factory()
    rollout.deploy(rollout.fleet(4, proxy=proxy), application_of({"run": "true"}))  # verifies them
    proxy.kill()
    behind = rollout.submit(rollout.fleet(4, proxy=proxy), application_of({"run": "true"}))
    site.wait_for(lambda: "route_down" in _kinds(rollout, behind), "the proxy found down")

    beside = rollout.fleet(2)
    beside["clusters"]["other"] = {
        **beside["clusters"].pop("web"),
        "hosts": {"other-1": {"address": "127.0.9.1", "work_directory": str(rollout.home / "other")}},
    }
    view = rollout.end(rollout.submit(beside, application_of({"run": "true"}), to="other"))
    assert outcomes(view) == [["ok"]]
    assert "proxy bastion is down since" in rollout.client.steer.explain(behind.id)

    proxy.start()
    assert outcomes(rollout.end(behind)) == [["ok"] * 4]
    kinds = _kinds(rollout, behind)
    assert (kinds.count("route_down"), kinds.count("route_up")) == (1, 1)


def test_hosts_whose_proxy_stays_down_end_unreachable_after_their_time(
    rollout: Rollout, sshd_factory: SshdFactory
) -> None:
    site = rollout.site
    site.environment["LONGSHORE_ROUTE_WAIT"] = "2"
    site.start_worker("official")
    proxy = sshd_factory()
    rollout.deploy(rollout.fleet(3, proxy=proxy), application_of({"run": "true"}))
    proxy.kill()

    view = rollout.deploy(rollout.fleet(3, proxy=proxy), application_of({"run": "true"}))

    assert outcomes(view) == [["unreachable"] * 3]
    assert {host.cause for host in view.batches[0].hosts} == {Cause.PROXY_TCP_REFUSED}


def test_deployments_that_want_the_same_host(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    first = rollout.submit(rollout.fleet(1), application_of(_gated(home)), version="1")
    site.wait_for(lambda: _ledger(home) == ["begun-web-1"], "the first run under way")
    second = rollout.submit(rollout.fleet(1), application_of({"run": f"echo second >> {home}/ledger"}))
    site.wait_for(lambda: "comes first" in rollout.client.steer.explain(second.id), "the second waiting")
    fleet, shop = site.folder / "fleet.yaml", site.folder / "shop.yaml"

    with pytest.raises(BusyError, match=first.id):
        rollout.client.deploy(fleet, shop, "web", {"version": "3"}, if_busy="fail")
    assert (
        site.longshore(
            "deploy", str(shop), "--to", "web", "--if-busy", "fail", "--set", "version=3"
        ).returncode
        == 1
    )
    third = rollout.client.deploy(fleet, shop, "web", {"version": "3"}, if_busy="supersede")

    assert rollout.end(second).state is RunState.CANCELLED
    assert f"superseded by run {third.id}" in str(second.view().cancelled_by)
    (home / "gate").touch()
    assert rollout.end(third).state is RunState.SUCCEEDED
    assert rollout.end(first).state is RunState.SUCCEEDED
    assert _ledger(home) == ["begun-web-1", "second"]
