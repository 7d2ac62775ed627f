"""Workers that are killed, stopped, ended, or wrong about the time."""

import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import get_args

import pytest

from lab.accounts import Account as Login
from tasks.outcomes import RunState
from tests.chaos.faults import Kind, cancel_and_kill, kill_all_workers, kill_worker
from tests.chaos.rounds import MOST_HOSTS, Account, drawn, losses, play
from tests.chaos.scene import SHORT_LEASES, Cluster, Rollout, Scene, running_scene

pytestmark = pytest.mark.chaos

SEEDS = range(1, 26)
LANES = 3
LONG = Rollout(hosts=4, steps=(0.2, 2.0, 0.2), batches=("100%",))
BOTH = pytest.mark.parametrize("cluster", get_args(Cluster))
KILL = (Kind(name="worker killed", fault=kill_worker),)


@pytest.fixture(scope="module")
def kills(account: Login) -> Iterator[Mapping[int, "Future[Account]"]]:
    """Rounds in which a worker is killed at a random moment, by seed; some at a time, in scenes apart."""
    rounds: dict[int, Future[Account]] = {seed: Future() for seed in SEEDS}
    with ThreadPoolExecutor(LANES) as lanes:
        for lane in range(LANES):
            lanes.submit(_lane, account, {seed: rounds[seed] for seed in SEEDS[lane::LANES]})
        yield rounds


def _lane(account: Login, rounds: Mapping[int, "Future[Account]"]) -> None:
    try:
        with (
            tempfile.TemporaryDirectory(prefix="longshore-chaos-") as folder,
            running_scene(Path(folder), account, **SHORT_LEASES) as scene,
        ):
            scene.verify(MOST_HOSTS)
            for seed, future in rounds.items():
                future.set_result(play(scene, drawn(seed, KILL)))
    except BaseException as error:
        for future in rounds.values():
            if not future.done():
                future.set_exception(error)
        raise


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_worker_is_killed_at_a_random_moment(kills: Mapping[int, "Future[Account]"], seed: int) -> None:
    account = kills[seed].result()

    assert not account.broken, str(account)


@pytest.mark.timeout(300)
def test_many_of_the_killed_workers_had_hosts(kills: Mapping[int, "Future[Account]"]) -> None:
    assert sum(each.result().taken_over for each in kills.values()) >= len(SEEDS) // 2


def _kept(scene: Scene, *states: str) -> None:
    assert scene.settle(), scene.story()
    broken = scene.broken()
    assert not broken, "\n".join([*broken, scene.story()])
    assert [str(run.view().state) for run in scene.submitted] == list(states), scene.story()


def _under_way(scene: Scene, step: int = 2, hosts: int = LONG.hosts) -> None:
    scene.wait_for(lambda: scene.begun(step) == hosts, f"step {step} under way on {hosts} hosts")


def _holder(scene: Scene) -> int:
    """A worker that has hosts."""
    holders = set(scene.holders().values())
    return next(worker for worker in scene.crew if scene.name_of(worker) in holders)


@BOTH
def test_all_workers_are_killed_at_once(scene: Scene, cluster: Cluster) -> None:
    run = scene.deploy(replace(LONG, cluster=cluster))
    _under_way(scene)

    kill_all_workers(scene, Random(1))

    _kept(scene, RunState.SUCCEEDED)
    assert len(scene.events(run, "host_taken_over")) == LONG.hosts


@BOTH
def test_a_worker_that_stood_still_past_its_lease_writes_nothing(scene: Scene, cluster: Cluster) -> None:
    run = scene.deploy(replace(LONG, cluster=cluster))
    _under_way(scene)
    worker = _holder(scene)
    process = scene.site.workers[worker]

    process.send_signal(signal.SIGSTOP)
    try:
        _kept(scene, RunState.SUCCEEDED)
        events = scene.site.reader.events(run.id)
    finally:
        process.send_signal(signal.SIGCONT)
    scene.wait_for(
        lambda: "another worker has the host" in scene.log_of(worker),
        "the word of the worker that stood still",
    )

    assert scene.site.reader.events(run.id) == events
    _kept(scene, RunState.SUCCEEDED)


def test_a_worker_that_is_asked_to_end_hands_its_hosts_over_at_once(scene: Scene) -> None:
    run = scene.deploy(LONG)
    _under_way(scene)
    worker = _holder(scene)
    scene.crew.remove(worker)
    asked_at = scene.now()

    scene.site.end_worker(worker)
    scene.start_worker()

    _kept(scene, RunState.SUCCEEDED)
    handed = [event.host for event in scene.events(run, "host_handed_over")]
    waited = losses(scene, scene.name_of(worker), asked_at)
    assert handed, scene.story()
    assert len(waited) == len(handed), scene.story()
    # The lease is 3 s: nobody has waited for it.
    assert max(waited) < 2.5, (waited, scene.story())


@pytest.mark.parametrize("first", ["cancelled", "killed"])
@BOTH
def test_a_run_is_cancelled_and_its_worker_killed(scene: Scene, cluster: Cluster, first: str) -> None:
    rollout = Rollout(hosts=4, steps=(0.2, 30.0), batches=(2,), cluster=cluster)
    run = scene.deploy(rollout)
    _under_way(scene, hosts=2)
    draw = next(Random(seed) for seed in range(99) if Random(seed).choice(["cancelled", "killed"]) == first)

    cancel_and_kill(scene, draw)

    _kept(scene, RunState.CANCELLED)
    assert sorted(str(host.outcome) for batch in run.view().batches for host in batch.hosts) == [
        "cancelled",
        "cancelled",
        "not_started",
        "not_started",
    ]


def _clocks(scene: Scene, shifts: Sequence[float]) -> None:
    for worker in tuple(scene.crew):
        scene.crew.remove(worker)
        scene.site.end_worker(worker)
    for shift in shifts:
        scene.start_worker(clock=shift)


@pytest.mark.parametrize("killed", [0, 1])
def test_workers_whose_clocks_are_20_minutes_apart_share_a_run(scene: Scene, killed: int) -> None:
    """Leases, tokens, sweeps and presence are by the record's clock; waits by each worker's monotonic one."""
    _clocks(scene, [-600.0, 600.0])
    try:
        run = scene.deploy(LONG)
        _under_way(scene)
        scene.wait_for(lambda: len(set(scene.holders().values())) == 2, "both workers with hosts")
        worker = scene.crew.pop(killed)
        scene.site.end_worker(worker, number=signal.SIGKILL)

        _kept(scene, RunState.SUCCEEDED)
        assert scene.events(run, "host_taken_over"), scene.story()
    finally:
        _clocks(scene, [0.0, 0.0])
