"""A pool's worker, started by ``longshore worker`` or by Celery's command line: both are the same worker."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config.celery_settings import queue_name
from tasks.outcomes import RunState
from tests.support.rollout import Rollout, outcomes
from tests.support.site import Site
from tests.support.yaml_files import application_of
from workers.supervisor import worker_command

pytestmark = pytest.mark.integration

WAYS = {
    "longshore": worker_command(["official"], concurrency=3, name="w@%h"),
    "celery": [
        *(sys.executable, "-m", "celery", "-A", "workers.app", "worker", "-Q", queue_name("official")),
        *("-n", "w@%h", "--concurrency", "3", "--loglevel", "INFO"),
    ],
}


@pytest.fixture(params=WAYS)
def worker(request: pytest.FixtureRequest, site: Site) -> subprocess.Popen[bytes]:
    """A worker of the pool official."""
    return site.start(WAYS[request.param], name=f"w@{socket.gethostname()}")


def _waits_for(gate: Path) -> dict[str, str]:
    return {"run": f"echo begun; until [ -e {gate} ]; do sleep 0.05; done; echo done"}


def test_it_takes_its_pools_jobs(rollout: Rollout, worker: subprocess.Popen[bytes]) -> None:
    view = rollout.deploy(rollout.fleet(2), application_of({"run": "true"}))

    (seen,) = rollout.site.presence()
    assert (view.state, outcomes(view)) == (RunState.SUCCEEDED, [["ok", "ok"]])
    assert (seen.pool, seen.slots) == ("official", 3)
    log = rollout.site.logs()
    assert re.search(
        r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}: INFO/MainProcess\] w@\S+ ready\.$", log, re.MULTILINE
    )
    assert re.search(r"concurrency: +3 \(threads\)", log)
    assert re.search(r"task events: +ON", log)
    assert worker.poll() is None


def test_term_lets_it_hand_its_host_over(rollout: Rollout, worker: subprocess.Popen[bytes]) -> None:
    gate = rollout.home / "gate"
    run = rollout.submit(rollout.fleet(1), application_of(_waits_for(gate)))
    rollout.site.wait_for(lambda: rollout.printed(run, "web-1") == b"begun", "the step under way")

    worker.send_signal(signal.SIGTERM)
    # The step goes on for as long as it likes: the worker doesn't wait for it.
    assert worker.wait(20) == 0
    assert "Warm shutdown" in rollout.site.logs()
    gate.touch()
    rollout.site.start_worker("official")

    assert rollout.end(run).state is RunState.SUCCEEDED
    assert rollout.printed(run, "web-1") == b"begun\ndone\n"
    kinds = [event.kind for event in rollout.site.reader.events(run.id)]
    assert (kinds.count("host_handed_over"), kinds.count("host_taken_over")) == (1, 1)


def test_quit_ends_it_in_the_midst_of_a_host(rollout: Rollout, worker: subprocess.Popen[bytes]) -> None:
    gate = rollout.home / "gate"
    run = rollout.submit(rollout.fleet(1), application_of(_waits_for(gate)))
    rollout.site.wait_for(lambda: rollout.printed(run, "web-1") == b"begun", "the step under way")

    worker.send_signal(signal.SIGQUIT)
    assert worker.wait(20) != 0
    gate.touch()
    rollout.site.start_worker("official")

    assert rollout.end(run).state is RunState.SUCCEEDED
    assert [event.kind for event in rollout.site.reader.events(run.id)].count("host_taken_over") == 1
