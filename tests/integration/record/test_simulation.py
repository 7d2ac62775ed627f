"""Schedules of messages, workers, machines and people, against the real record, gate and sweep."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import ClassVar, Literal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from config.errors import LongshoreError
from config.settings import Settings
from tasks.record import keys
from tasks.record.answers import Decision, IfBusy
from tests.support.simulation.machines import Death
from tests.support.simulation.promises import check, check_end, waiting_for_people
from tests.support.simulation.server import KilledError, Seen, SimulatedRedis
from tests.support.simulation.world import APPLICATIONS, TARGETS, World, plan
from workers.embedded_redis import EmbeddedRedis

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]

SCHEDULES = int(os.environ.get("LONGSHORE_SCHEDULES", "0"))
"""How many schedules to try; 0 for as many as CI does, always the same ones."""
CI_SCHEDULES = 1000
EVENTS = 30
MOST_RUNS = 5

PICK = st.integers(0, 7)
ROUNDS = st.sampled_from([0, 0, 1, 2])
"""For how long everything goes on after an event before the next one."""
TROUBLE = st.one_of(
    st.just((0, "")),
    st.tuples(st.integers(1, 6), st.sampled_from(["die", "twice", "sweep", "deliver"])),
)
"""What happens within an event, before which of its commands."""
HOSTS = st.lists(st.sampled_from(sorted(TARGETS)), min_size=1, max_size=3, unique=True)

Trouble = tuple[int, str]


class Schedule(RuleBasedStateMachine):
    """One schedule; hypothesis chooses what happens next."""

    redis: ClassVar[SimulatedRedis]
    settings: ClassVar[Settings]
    world_of: ClassVar[Callable[[World], None]]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.redis, self.settings)
        type(self).world_of(self.world)
        self.seen = Seen()

    @initialize(
        hosts=st.permutations(sorted(TARGETS)),
        cut=st.integers(0, 2),
        max_failed=st.integers(0, 1),
        application=st.sampled_from(sorted(APPLICATIONS)),
        proxy_up=st.booleans(),
        power=st.booleans(),
        rounds=st.integers(0, 4),
    )
    def begin(
        self,
        hosts: list[str],
        cut: int,
        max_failed: int,
        application: str,
        proxy_up: bool,
        power: bool,
        rounds: int,
    ) -> None:
        self.power, self.world.proxy_up = power, proxy_up
        self._submit(hosts, cut, max_failed, application, "wait")
        if power:
            self.redis.sync()
        self._go_on(rounds)

    @precondition(lambda self: len(self.world.runs) < MOST_RUNS)
    @rule(
        hosts=HOSTS,
        cut=st.integers(0, 2),
        max_failed=st.integers(0, 1),
        application=st.sampled_from(sorted(APPLICATIONS)),
        if_busy=st.sampled_from(["wait", "wait", "fail", "supersede"]),
        verified=st.sampled_from([True, True, False]),
        trouble=TROUBLE,
        rounds=ROUNDS,
    )
    def submit(
        self,
        hosts: list[str],
        cut: int,
        max_failed: int,
        application: str,
        if_busy: IfBusy,
        verified: bool,
        trouble: Trouble,
        rounds: int,
    ) -> None:
        with self._trouble(trouble), suppress(LongshoreError):
            self._submit(hosts, cut, max_failed, application, if_busy, verified=verified)
        self._go_on(rounds)

    @precondition(lambda self: self.world.mail.messages)
    @rule(pick=PICK, doubled=st.booleans(), trouble=TROUBLE)
    def deliver(self, pick: int, doubled: bool, trouble: Trouble) -> None:
        messages = self.world.mail.messages
        message = messages[pick % len(messages)]
        if not doubled:
            messages.remove(message)
        with self._trouble(trouble):
            self.world.deliver(message)
        self._look()

    @precondition(lambda self: self.world.mail.messages)
    @rule(pick=PICK, lost=st.booleans())
    def message_is_lost_or_late(self, pick: int, lost: bool) -> None:
        messages = self.world.mail.messages
        index = pick % len(messages)
        messages[index].taken = True
        if lost:
            del messages[index]

    @precondition(lambda self: self.world.workers)
    @rule(pick=PICK, trouble=TROUBLE)
    def work(self, pick: int, trouble: Trouble) -> None:
        workers = [each for each in self.world.workers if not each.frozen]
        if not workers:
            return
        worker = workers[pick % len(workers)]
        run = self.seen.runs.get(worker.claim.run_id)
        stale = run is None or run.statuses[worker.claim.host] != f"running {worker.claim.token}"
        with self._trouble(trouble):
            self.world.work(worker)
        before = self.seen
        self._look()
        if stale and not trouble[0]:
            assert self.seen == before, f"what a stale worker writes changes nothing: {worker.claim}"

    @rule(rounds=st.integers(1, 4))
    def everything_goes_on(self, rounds: int) -> None:
        self._go_on(rounds)

    @rule(
        pick=PICK,
        what=st.sampled_from(["goes on", "fails", "link", "link", "killed", "rebooted", "unsaid"]),
        rounds=ROUNDS,
    )
    def machine(self, pick: int, what: Literal["goes on", "fails", "link"] | Death, rounds: int) -> None:
        machines = list(self.world.machines.values())
        if what != "link":
            machines = [each for each in machines if each.under_way] or machines
        machine = machines[pick % len(machines)]
        if what == "link":
            machine.reached = not machine.reached
        elif what in {"goes on", "fails"}:
            machine.go_on(well=what == "goes on")
        else:
            machine.die(what)
        self._go_on(rounds)

    @rule(rounds=ROUNDS)
    def proxy_changes(self, rounds: int) -> None:
        self.world.proxy_up = not self.world.proxy_up
        self._go_on(rounds)

    @precondition(lambda self: self.world.workers)
    @rule(pick=PICK, what=st.sampled_from(["killed", "frozen", "leaving"]), rounds=ROUNDS)
    def worker(self, pick: int, what: str, rounds: int) -> None:
        workers = self.world.workers
        index = pick % len(workers)
        if what == "killed":
            del workers[index]
        elif what == "frozen":
            workers[index].frozen = not workers[index].frozen
        else:
            workers[index].leaving = True
        self._go_on(rounds)

    @rule(
        seconds=st.sampled_from([1, 5, 16, 130]),
        beats=st.sampled_from([True, True, True, False]),
        rounds=ROUNDS,
    )
    def time_passes(self, seconds: int, beats: bool, rounds: int) -> None:
        if self.power:
            self.redis.sync()
        self.redis.pass_time(seconds * 1000)
        if beats:
            self.world.beat()
        self._go_on(rounds)

    @rule(trouble=TROUBLE, seconds=st.sampled_from([0, 16]), rounds=ROUNDS)
    def sweep(self, trouble: Trouble, seconds: int, rounds: int) -> None:
        if seconds:
            self.time_passes(seconds, beats=True, rounds=0)
        with self._trouble(trouble):
            self.world.sweeper.sweep()
        self._go_on(rounds)

    @rule(
        pick=PICK,
        wish=st.sampled_from(["pause", "pause", "resume", "resume", "cancel", "cancel now"]),
        trouble=TROUBLE,
        rounds=ROUNDS,
    )
    def person(self, pick: int, wish: str, trouble: Trouble, rounds: int) -> None:
        run_id, steering = self._run(pick), self.world.steering
        with self._trouble(trouble), suppress(LongshoreError):
            if wish == "pause":
                steering.pause(run_id)
            elif wish == "resume":
                steering.resume(run_id)
            else:
                steering.cancel(run_id, now=wish == "cancel now")
        self.world.explain(run_id)
        self._go_on(rounds)

    @precondition(lambda self: self._unknown())
    @rule(
        pick=PICK,
        decision=st.sampled_from(["ok", "failed", "rerun", "rerun"]),
        trouble=TROUBLE,
        rounds=ROUNDS,
    )
    def resolve(self, pick: int, decision: Decision, trouble: Trouble, rounds: int) -> None:
        unknown = self._unknown()
        with self._trouble(trouble):
            self._resolve(*unknown[pick % len(unknown)], decision)
        self._go_on(rounds)

    @precondition(
        lambda self: len(self.world.runs) < MOST_RUNS and len(self.seen.active) < len(self.seen.runs)
    )
    @rule(pick=PICK, back=st.booleans(), trouble=TROUBLE, rounds=ROUNDS)
    def retry_or_roll_back(self, pick: int, back: bool, trouble: Trouble, rounds: int) -> None:
        run_id, steering = self._run(pick, over=True), self.world.steering
        with self._trouble(trouble), suppress(LongshoreError):
            if back:
                steering.roll_back(run_id, steering.plan_rollback(run_id))
            else:
                steering.retry(run_id)
        self._go_on(rounds)

    @rule(what=st.sampled_from(["restart", "sync", "power", "power and queues"]), rounds=ROUNDS)
    def redis_server(self, what: str, rounds: int) -> None:
        if what == "restart":
            self.redis.restart(from_disk=False)
        elif self.power and what == "sync":
            self.redis.sync()
        elif self.power:
            self.world.lose_power(mail=what == "power")
            self.seen = self.world.observe()
        self._go_on(rounds)

    def teardown(self) -> None:
        if not self.world.runs:
            return
        self._settle()
        for run_id in self.world.runs:
            self.world.explain(run_id)
        for decision in ("rerun", "ok"):
            for run_id, run in self.seen.runs.items():
                if run.state == "paused":
                    self.world.steering.resume(run_id)
            for run_id, host in self._unknown():
                self._resolve(run_id, host, decision)
            self._settle()
        check_end(self.world, self.seen)

    def _settle(self) -> None:
        """No more faults: everything goes on until nothing moves any more."""
        world = self.world
        world.proxy_up = True
        for machine in world.machines.values():
            machine.reached = True
        for worker in world.workers:
            worker.frozen = False
        self._look()
        for _ in range(60):
            while world.progress():
                self._look()
            if self.seen.active <= waiting_for_people(self.seen):
                return
            world.redis.pass_time(6000)
            world.beat()
            world.sweeper.sweep()
            self._look()
        raise AssertionError(f"stuck: {sorted(self.seen.active)}")

    def _submit(
        self,
        hosts: list[str],
        cut: int,
        max_failed: int,
        application: str,
        if_busy: IfBusy,
        *,
        verified: bool = True,
    ) -> None:
        if verified:
            now = str(self.redis.now)
            self.redis.hset(keys.VERIFIED, mapping={keys.identity(TARGETS[host]): now for host in hosts})
        else:
            self.redis.delete(keys.VERIFIED)
        batches = tuple(tuple(part) for part in (hosts[:cut], hosts[cut:]) if part)
        self.world.submitter.deploy(plan(application, batches, max_failed), if_busy=if_busy)

    def _resolve(self, run_id: str, host: str, decision: Decision) -> None:
        (self.world.again if decision == "rerun" else self.world.decided).add((run_id, host))
        with suppress(LongshoreError):
            self.world.steering.resolve(run_id, host, decision)

    def _unknown(self) -> list[tuple[str, str]]:
        return [
            (run_id, host)
            for run_id, run in self.seen.runs.items()
            for host, status in run.statuses.items()
            if status == "done indeterminate"
        ]

    def _look(self) -> None:
        before, self.seen = self.seen, self.world.observe()
        self.world.doubtful |= set(self._unknown())
        check(self.world, before, self.seen)

    def _go_on(self, rounds: int) -> None:
        self._look()
        for _ in range(rounds):
            self.world.progress()
            self._look()

    def _run(self, pick: int, *, over: bool = False) -> str:
        runs = [run_id for run_id in self.seen.runs if (run_id in self.seen.active) != over]
        return (runs or self.world.runs)[pick % len(runs or self.world.runs)]

    def _trouble(self, trouble: Trouble) -> AbstractContextManager[None]:
        after, what = trouble
        happens = {"": None, "twice": None, "die": _die, "sweep": self.world.sweeper.sweep}.get(
            what, self._deliver_first
        )
        return self.world.troubled(after, happens)

    def _deliver_first(self) -> None:
        if self.world.mail.messages:
            self.world.deliver(self.world.mail.messages.pop(0))


def _die() -> None:
    raise KilledError


@pytest.fixture
def simulated_redis(server: EmbeddedRedis) -> Iterator[SimulatedRedis]:
    client = SimulatedRedis.from_url(server.url(1), protocol=2)
    yield client
    client.flushall()
    client.close()


def test_no_schedule_breaks_a_promise(
    simulated_redis: SimulatedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ids_of(world: World) -> None:
        monkeypatch.setattr("producer.submitting.new_run_id", world.new_run_id)

    Schedule.redis, Schedule.settings, Schedule.world_of = simulated_redis, Settings(), staticmethod(ids_of)
    run_state_machine_as_test(
        Schedule,
        settings=settings(
            max_examples=SCHEDULES or CI_SCHEDULES,
            stateful_step_count=EVENTS,
            derandomize=not SCHEDULES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
            print_blob=True,
        ),
    )
