import signal
import time
from pathlib import Path

import psutil
import pytest

from config.causes import Cause
from lab.sshd import SshdFactory
from tasks.outcomes import Outcome, RunState
from tasks.record import keys
from tests.support.rollout import Rollout, outcomes
from tests.support.yaml_files import application_of

pytestmark = pytest.mark.integration


def _gated(home: Path, name: str = "gate") -> dict[str, object]:
    """A step that leaves a line in the ledger, and goes on once a file is there."""
    ledger, gate = home / "ledger", home / name
    wait = f"until [ -e {gate} ]; do sleep 0.05; done"
    return {"run": f"echo begun-$LONGSHORE_HOST >> {ledger}; echo begun; {wait}; echo done"}


def _ledger(home: Path) -> list[str]:
    path = home / "ledger"
    return sorted(path.read_text().split()) if path.exists() else []


def test_a_killed_workers_hosts_go_on_under_another_and_nothing_runs_twice(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    first = site.start_worker("official")
    run = rollout.submit(rollout.fleet(3), application_of(_gated(home), {"run": "echo after"}))
    site.wait_for(lambda: len(_ledger(home)) == 3, "three hosts under way")
    site.wait_for(lambda: rollout.printed(run, "web-2") == b"begun", "what the first worker wrote")

    site.end_worker(first, number=signal.SIGKILL)
    site.start_worker("official")
    events = site.reader.events
    site.wait_for(
        lambda: sum(event.kind == "host_taken_over" for event in events(run.id)) == 3, "three take-overs"
    )
    (home / "gate").touch()
    view = rollout.end(run)

    assert outcomes(view) == [["ok"] * 3]
    assert _ledger(home) == ["begun-web-1", "begun-web-2", "begun-web-3"]
    assert [str(step.state) for step in view.batches[0].hosts[0].steps] == ["ok", "ok"]
    assert rollout.printed(run, "web-2") == b"begun\ndone\nafter\n"


def test_a_worker_that_stood_still_past_its_lease_writes_nothing(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    first = site.start_worker("official")
    run = rollout.submit(rollout.fleet(1), application_of(_gated(home)))
    site.wait_for(lambda: _ledger(home) != [], "the host under way")

    site.workers[first].send_signal(signal.SIGSTOP)
    site.start_worker("official")
    site.wait_for(
        lambda: any(event.kind == "host_taken_over" for event in site.reader.events(run.id)), "a take-over"
    )
    (home / "gate").touch()
    view = rollout.end(run)
    events = len(site.reader.events(run.id))
    site.workers[first].send_signal(signal.SIGCONT)
    site.wait_for(lambda: "another worker has the host" in site.logs(), "the first worker's insight")

    assert outcomes(view) == [["ok"]]
    assert rollout.printed(run, "web-1") == b"begun\ndone\n"
    assert len(site.reader.events(run.id)) == events
    assert _ledger(home) == ["begun-web-1"]


def test_a_lost_connection_is_made_again_and_no_byte_is_lost(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    run = rollout.submit(rollout.fleet(1), application_of(_gated(home)))
    site.wait_for(lambda: rollout.printed(run, "web-1") == b"begun", "the first output")

    assert rollout.sshd.kill_sessions("127.0.1.1") > 0
    (home / "gate").touch()
    view = rollout.end(run)

    assert outcomes(view) == [["ok"]]
    assert rollout.printed(run, "web-1") == b"begun\ndone\n"
    assert _ledger(home) == ["begun-web-1"]


def test_a_host_that_died_in_a_step_needs_a_person(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    run = rollout.submit(rollout.fleet(2), application_of(_gated(home), rollout={"batches": [1]}))
    site.wait_for(lambda: rollout.printed(run, "web-1") == b"begun", "the first output")

    assert rollout.sshd.kill_sessions() > 0
    view = rollout.end(run)

    assert (view.state, outcomes(view)) == (
        RunState.NEEDS_ATTENTION,
        [["indeterminate"], ["not_started"]],
    )
    assert view.batches[0].hosts[0].cause == Cause.SCRIPT_KILLED
    assert _ledger(home) == ["begun-web-1"]


def test_an_idempotent_step_is_run_again_when_its_end_is_unknown(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    step = {**_gated(home), "idempotent": True}
    run = rollout.submit(rollout.fleet(1), application_of(step, {"run": "echo after"}))
    site.wait_for(lambda: rollout.printed(run, "web-1") == b"begun", "the first output")

    assert rollout.sshd.kill_sessions() > 0
    (home / "gate").touch()
    view = rollout.end(run)

    assert outcomes(view) == [["ok"]]
    assert _ledger(home) == ["begun-web-1", "begun-web-1"]


def test_redis_killed_and_started_again_in_mid_run(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    run = rollout.submit(
        rollout.fleet(2), application_of(_gated(home), rollout={"batches": [1], "max_failed": 0})
    )
    site.wait_for(lambda: _ledger(home) == ["begun-web-1"], "the first host under way")
    # What was written more than a second ago is on disk, whatever happens.
    site.wait_for(lambda: site.record.info("persistence")["aof_pending_bio_fsync"] == 0, "the disk")
    site.wait_for(lambda: rollout.printed(run, "web-1") == b"begun", "the first output")

    psutil.Process(site.redis.pid).kill()
    site.redis.stop()
    (home / "gate").touch()
    site.redis.start()
    view = rollout.end(run)

    assert outcomes(view) == [["ok"], ["ok"]]
    assert _ledger(home) == ["begun-web-1", "begun-web-2"]


def test_what_hosts_did_while_redis_was_gone_for_long_is_written_when_it_is_back(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    run = rollout.submit(rollout.fleet(3), application_of(_gated(home), {"run": f"echo over >> {home}/over"}))
    site.wait_for(lambda: len(_ledger(home)) == 3, "three hosts under way")
    site.wait_for(lambda: rollout.printed(run, "web-2") == b"begun", "what the worker wrote before")

    site.redis.stop()
    (home / "gate").touch()
    over = home / "over"
    site.wait_for(
        lambda: over.exists() and len(over.read_text().split()) == 3, "the hosts to finish without it"
    )
    lease = float(site.environment["LONGSHORE_LEASE_SECONDS"])
    gone = time.monotonic()
    site.wait_for(lambda: time.monotonic() - gone > 2 * lease, "every lease to run out meanwhile")
    site.redis.start()
    view = rollout.end(run)

    assert outcomes(view) == [["ok"] * 3]
    assert _ledger(home) == ["begun-web-1", "begun-web-2", "begun-web-3"]
    assert rollout.printed(run, "web-2") == b"begun\ndone\n"


def test_every_message_twice_changes_nothing(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    (home / "gate").touch()
    run = rollout.submit(rollout.fleet(6), application_of(_gated(home), rollout={"batches": [2]}))
    for _ in range(2):
        for queue in site.broker.keys("longshore.*"):
            for message in site.broker.lrange(queue, 0, -1):
                site.broker.rpush(queue, message)
    site.start_worker("official")
    site.start_worker("official")
    view = rollout.end(run)

    assert outcomes(view) == [["ok", "ok"]] * 3
    assert _ledger(home) == sorted(f"begun-web-{number}" for number in range(1, 7))
    assert sum(event.kind == "batch" for event in site.reader.events(run.id)) == 3


def test_a_lost_message_is_sent_again(rollout: Rollout) -> None:
    run = rollout.submit(rollout.fleet(1), application_of({"run": "true"}))
    assert rollout.site.broker.delete("longshore.official") == 1
    rollout.site.start_worker("official")

    assert rollout.end(run).state is RunState.SUCCEEDED


def test_cancel_ends_what_runs_on_the_hosts_and_starts_nothing_more(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    run = rollout.submit(
        rollout.fleet(3),
        application_of({"run": f"echo $$ > {home}/pid; exec sleep 600"}, rollout={"batches": [1]}),
    )
    site.wait_for(lambda: (home / "pid").exists() and (home / "pid").read_text() != "", "the step's process")
    pid = int((home / "pid").read_text())

    rollout.client.steer.cancel(run.id)
    view = rollout.end(run)

    assert (view.state, outcomes(view)) == (
        RunState.CANCELLED,
        [["cancelled"], ["not_started"], ["not_started"]],
    )
    assert view.cancelled_by == "ana"
    assert not psutil.pid_exists(pid)


def test_a_run_that_no_worker_has_begun_can_be_cancelled(rollout: Rollout) -> None:
    run = rollout.submit(rollout.fleet(1), application_of({"run": "true"}))

    rollout.client.steer.cancel(run.id)
    rollout.site.start_worker("official")

    assert rollout.end(run).state is RunState.CANCELLED


def test_a_proxy_that_dies_for_good_leaves_its_hosts_with_its_name(
    rollout: Rollout, sshd_factory: SshdFactory
) -> None:
    home, site = rollout.home, rollout.site
    proxy = sshd_factory()
    site.environment["LONGSHORE_RECONNECT_SECONDS"] = "2"
    site.start_worker("official")
    run = rollout.submit(rollout.fleet(2, proxy=proxy), application_of(_gated(home)))
    site.wait_for(lambda: len(_ledger(home)) == 2, "two hosts under way")

    proxy.kill()
    view = rollout.end(run)

    assert view.state is RunState.NEEDS_ATTENTION
    assert {host.outcome for host in view.batches[0].hosts} == {Outcome.INDETERMINATE}
    assert {host.cause for host in view.batches[0].hosts} == {Cause.PROXY_TCP_REFUSED}
    (home / "gate").touch()


def test_a_proxy_that_comes_back_is_used_again(rollout: Rollout, sshd_factory: SshdFactory) -> None:
    home, site = rollout.home, rollout.site
    proxy = sshd_factory()
    site.start_worker("official")
    run = rollout.submit(rollout.fleet(2, proxy=proxy), application_of(_gated(home)))
    site.wait_for(lambda: len(_ledger(home)) == 2, "two hosts under way")

    proxy.restart()
    (home / "gate").touch()
    view = rollout.end(run)

    assert outcomes(view) == [["ok", "ok"]]
    assert _ledger(home) == ["begun-web-1", "begun-web-2"]


def test_a_flood_of_output_fills_neither_redis_nor_the_worker(rollout: Rollout) -> None:
    site = rollout.site
    worker = site.start_worker("official")
    before = psutil.Process(site.workers[worker].pid).memory_info().rss
    view = rollout.deploy(
        rollout.fleet(1),
        application_of({"run": "echo first; yes 0123456789 | head -c 1000000000; echo last"}),
    )
    after = psutil.Process(site.workers[worker].pid).memory_info().rss

    log = site.reader.log(view.id, "web-1")
    assert outcomes(view) == [["ok"]]
    assert log.head.startswith(b"first\n0123456789\n")
    assert log.tail.endswith(b"last\n")
    assert log.cut == 1_000_000_000 + len(b"first\nlast\n") - len(log.head) - len(log.tail)
    assert site.record.memory_usage(keys.log(view.id, "web-1")) < 300_000
    assert after - before < 60_000_000


def test_output_is_there_while_the_step_still_runs(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    run = rollout.submit(rollout.fleet(1), application_of(_gated(home)))

    site.wait_for(lambda: rollout.printed(run, "web-1") == b"begun", "output of a running step")
    assert [str(step.state) for step in run.view().batches[0].hosts[0].steps] == ["running"]
    (home / "gate").touch()

    assert rollout.end(run).state is RunState.SUCCEEDED


def test_a_second_deployment_to_a_host_begins_when_the_first_has_ended(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    first = rollout.submit(rollout.fleet(1), application_of(_gated(home)))
    site.wait_for(lambda: _ledger(home) == ["begun-web-1"], "the first run under way")
    second = rollout.submit(rollout.fleet(1), application_of({"run": f"echo second >> {home}/ledger"}))
    site.wait_for(lambda: "comes first" in second.view().waiting, "the second run waiting")

    assert first.id in second.view().waiting
    (home / "gate").touch()

    assert rollout.end(second).state is RunState.SUCCEEDED
    assert _ledger(home) == ["begun-web-1", "second"]
