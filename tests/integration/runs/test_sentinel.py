"""A primary that is lost in mid-run, behind three Sentinels."""

import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.sshd import Sshd
from producer import Client, Run
from tasks.record import keys
from tests.support.rollout import Rollout, outcomes
from tests.support.sentinels import NAME, PASSWORD, FailoverRedis, running_failover_redis
from tests.support.site import Site
from tests.support.yaml_files import application_of

pytestmark = pytest.mark.integration
GOES_ON_SECONDS = 30.0
"""The Sentinels' second, their election, and what workers need to notice."""
HANGING_IS_LEFT_SECONDS = 60.0
"""A hung server answers nothing, and each connection to it is waited for by itself: 12 to 21 s were seen."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[FailoverRedis]:
    with running_failover_redis(tmp_path / "redis") as started:
        yield started


@pytest.fixture
def rollout(redis: FailoverRedis, tmp_path: Path, sshd: Sshd) -> Iterator[Rollout]:
    site = Site(tmp_path, redis, {"LONGSHORE_LEASE_SECONDS": "3", "LONGSHORE_SWEEP_INTERVAL": "1"})
    try:
        with Client(redis.url(0), redis.url(1), operator="ana") as client:
            yield Rollout(site, client, sshd)
    finally:
        site.end()


@pytest.fixture
def run(rollout: Rollout, redis: FailoverRedis) -> Run:
    """Two batches of two hosts; the first is at work, and waits for a file."""
    for _ in range(2):
        rollout.site.start_worker("official")
    wait = f"until [ -e {rollout.home}/gate ]; do sleep 0.05; done"
    step = {"run": f"echo $LONGSHORE_HOST >> {rollout.home}/ledger; {wait}; echo done"}
    application = application_of(step, rollout={"batches": [2, "100%"], "max_failed": 0})
    begun = rollout.submit(rollout.fleet(4), application)
    rollout.site.wait_for(lambda: len(_ledger(rollout)) == 2, "the first batch")
    assert redis.direct(redis.primary()).wait(1, 5000) == 1  # the replica has all that was written so far
    return begun


def test_a_run_outlives_its_primary_and_nothing_runs_twice(
    rollout: Rollout, run: Run, redis: FailoverRedis
) -> None:
    epoch, lost = _epoch(rollout.site), redis.primary()
    took = _followed_to_the_end(rollout, run, lambda: redis.kill(lost))

    assert redis.primary() != lost
    assert outcomes(run.view()) == [["ok"] * 2] * 2
    assert _ledger(rollout) == ["web-1", "web-2", "web-3", "web-4"]
    assert _epoch(rollout.site) > epoch
    assert took < GOES_ON_SECONDS
    assert set(re.findall(r"Connected to (\S+?)\d+/", rollout.site.logs())) == {"sentinel://:**@127.0.0.1:"}
    assert PASSWORD not in rollout.site.logs()


def test_a_primary_that_hung_and_wakes_up_as_a_replica_changes_nothing(
    rollout: Rollout, run: Run, redis: FailoverRedis
) -> None:
    epoch, lost = _epoch(rollout.site), redis.primary()
    took = _followed_to_the_end(rollout, run, lambda: redis.signal(lost, signal.SIGSTOP))
    before = run.view()
    redis.signal(lost, signal.SIGCONT)
    rollout.site.wait_for(lambda: redis.is_replica(lost), "the old primary's demotion")

    assert outcomes(before) == [["ok"] * 2] * 2
    assert run.view() == before
    assert _ledger(rollout) == ["web-1", "web-2", "web-3", "web-4"]
    assert _epoch(rollout.site) > epoch
    assert took < HANGING_IS_LEFT_SECONDS


def test_the_command_line_says_what_is_wrong_behind_sentinels(
    rollout: Rollout, redis: FailoverRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = rollout.site
    assert site.longshore("runs").returncode == 0
    monkeypatch.setitem(site.environment, "LONGSHORE_REDIS_URL", redis.url(0).replace(NAME, "other"))
    monkeypatch.setitem(site.environment, "LONGSHORE_RECORD_URL", redis.url(1).replace(NAME, "other"))
    done = site.longshore("runs")
    assert done.returncode == 4
    assert f"is not known by that name: the Sentinels know no other, but {NAME}." in done.stderr
    for port in redis.sentinels:
        redis.kill(port)
    began = time.monotonic()
    done = site.longshore("runs")
    assert done.returncode == 4
    assert "can't be found: no Sentinel answers" in done.stderr
    assert PASSWORD not in done.stderr
    assert time.monotonic() - began < 5.0


def _followed_to_the_end(rollout: Rollout, run: Run, lose_the_primary: Callable[[], None]) -> float:
    """Follow a run as a person does, and let it go on once its primary is lost; how long that took."""
    following = run.follow()
    next(following)
    lose_the_primary()
    began = time.monotonic()
    (rollout.home / "gate").touch()
    for _ in following:
        pass
    return time.monotonic() - began


def _ledger(rollout: Rollout) -> list[str]:
    path = rollout.home / "ledger"
    return sorted(path.read_text().split()) if path.exists() else []


def _epoch(site: Site) -> int:
    return int(site.record.hget(keys.SERVER, "epoch") or 0)
