"""What a simulated schedule is about: the real record and its readers and writers, and models of the rest."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from config.application import Application
from config.causes import Cause
from config.fleet import Credential
from config.settings import Settings
from config.targets import ProxyHop
from config.templates import render
from producer.steering import Steering
from producer.submitting import Submitter
from tasks.actions.steps import Step, steps_of
from tasks.advancing import Gatekeeper
from tasks.hostscript.control import Busy, Refused, Status
from tasks.outcomes import HostResult
from tasks.plan import Plan
from tasks.record import keys
from tasks.record.answers import Freed, LogPart
from tasks.record.claims import Claim
from tasks.record.presence import Presence
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter
from tasks.sweeping import Sweeper
from tests.support.plans import target
from tests.support.simulation.machines import Machine
from tests.support.simulation.mail import Mail, Message
from tests.support.simulation.server import Interruption, KilledError, Seen, SimulatedRedis
from tests.support.simulation.workers import Worker

if TYPE_CHECKING:
    from producer.servers import Servers

PROXY = "bastion"
ROUTE_WAIT = 120.0
LEASE = 15.0
_HOP = ProxyHop(
    name=PROXY, address="127.0.1.1", credential=Credential(user="deploy", key_file="~/.ssh/deploy")
)
TARGETS = {
    "web-1": target("web-1"),
    "web-2": target("web-2", route="jump", hops=(_HOP,)),
    "web-3": target("web-3", route="jump", hops=(_HOP,)),
}
IDENTITIES = {keys.identity(each): name for name, each in TARGETS.items()}
APPLICATIONS = {
    "shop": [{"run": "one"}, {"run": "two"}, {"run": "three"}],
    "blog": [{"run": "one", "idempotent": True}, {"run": "two", "idempotent": True}],
}


@cache
def application(name: str) -> Application:
    """One of two applications; the steps of ``blog`` may run twice."""
    return Application.model_validate({"application": name, "actions": APPLICATIONS[name]})


@cache
def steps(name: str) -> tuple[Step, ...]:
    """An application's steps."""
    return steps_of(application(name), {}, render=render)


@lru_cache(maxsize=1024)
def plan(name: str, batches: tuple[tuple[str, ...], ...], max_failed: int) -> Plan:
    """A deployment in these batches."""
    return Plan(
        kind="deployment",
        application=application(name),
        steps=tuple(step.name for step in steps(name)),
        batches=batches,
        hosts={host: TARGETS[host] for batch in batches for host in batch},
        max_failed=max_failed,
    )


class World:
    """One schedule's world.

    Attributes:
        runs: ids that were drawn, in order; a run with one of them may not be there.
        newest: machine to the newest token that was given out for it.
        forgotten: run and host whose claim, or end, Redis lost with its power.
        doubtful: run and host whose end was once written as not known.
        decided: run and host whose end a person decided.
        again: run and host that a person wanted to be run again.
        lost_power: Redis lost its power once.
    """

    route_wait = ROUTE_WAIT

    def __init__(self, redis: SimulatedRedis, settings: Settings) -> None:
        redis.begin()
        self.redis = redis
        self.mail = Mail()
        self.machines = {
            name: Machine(name, behind=PROXY if each.hops else "") for name, each in TARGETS.items()
        }
        self.proxy_up = True
        self.workers: list[Worker] = []
        self.runs: list[str] = []
        self.newest: dict[str, tuple[int, int]] = {}
        self.forgotten: set[tuple[str, str]] = set()
        self.doubtful: set[tuple[str, str]] = set()
        self.decided: set[tuple[str, str]] = set()
        self.again: set[tuple[str, str]] = set()
        self.lost_power = False
        self._plans: dict[str, Plan] = {}
        self.reader = RecordReader(redis)
        self.writer = RecordWriter(redis)
        self.presence = Presence(redis)
        self.gatekeeper = Gatekeeper(reader=self.reader, writer=self.writer, outbox=self.mail)
        self.sweeper = Sweeper(
            reader=self.reader, writer=self.writer, outbox=self.mail, queues=self.mail, route_wait=ROUTE_WAIT
        )
        servers = cast(
            "Servers",
            SimpleNamespace(
                record=redis, check=lambda: None, reading_record=_plainly, send_gate=self.mail.gate
            ),
        )
        self.submitter = Submitter(servers, settings, operator="ana")
        self.steering = Steering(servers, settings, self.submitter, operator="ana")

    def observe(self) -> Seen:
        """Look at the record."""
        return self.redis.observe(self.runs)

    def new_run_id(self, *_: Any) -> str:
        """The next run's id."""
        self.runs.append(f"r{len(self.runs) + 1:02}")
        return self.runs[-1]

    @contextmanager
    def troubled(self, after: int, happens: Callable[[], None] | None) -> Iterator[None]:
        """Within it something happens before one of the commands; whoever sends it may be killed by that."""
        self.redis.interruption = Interruption(after=after, happens=happens) if after else None
        try:
            yield
        except KilledError:
            pass
        finally:
            self.redis.interruption = None

    def deliver(self, message: Message) -> None:
        """A worker does what a message hints at."""
        if message.kind == "gate":
            if not self.gatekeeper.advance(message.run_id):
                self.sweeper.look_at_hosts(message.run_id)
            return
        claim = self.writer.claim(message.run_id, message.kind, message.host, worker="w", lease_seconds=LEASE)
        if isinstance(claim, Claim):
            self._claimed(claim)

    def _claimed(self, claim: Claim) -> None:
        token, lease = (
            (claim.token.epoch, claim.token.number),
            keys.lease(claim.run_id, claim.kind, claim.target),
        )
        assert token > self.newest.get(lease, (0, 0)), "a token is larger than all before"
        self.newest[lease] = token
        self.workers.append(Worker(self, claim, self.machines[claim.host], self.steps(claim.run_id)))

    def plan(self, run_id: str) -> Plan:
        """A run's plan, less its hosts."""
        if run_id not in self._plans:
            found = self.reader.plan(run_id, with_hosts=False)
            assert found is not None
            self._plans[run_id] = found
        return self._plans[run_id]

    def steps(self, run_id: str) -> tuple[Step, ...]:
        """A run's steps; none of a verification."""
        found = self.plan(run_id).application
        return steps(found.application) if found else ()

    def may_repeat(self, run_id: str, host: str) -> bool:
        """Whether a step whose end is not known may be begun again."""
        return self.steps(run_id)[0].idempotent or (run_id, host) in self.again

    def route(self, machine: Machine) -> tuple[Cause | None, str]:
        """Why a machine can't be reached, and the proxy that is at fault."""
        if machine.behind and not self.proxy_up:
            return Cause.PROXY_TCP_REFUSED, machine.behind
        return (None, "") if machine.reached else (Cause.TCP_TIMEOUT, "")

    def drive(
        self, machine: Machine, claim: Claim, count: int, *, first: int | None
    ) -> Status | Busy | Refused:
        """Drive a run on a machine; what the machine refuses, the record must have let go of."""
        said = machine.drive(claim.run_id, claim.token, count, first=first)
        if isinstance(said, Busy):
            other = (said.run_id, machine.name)
            assert other in self.doubtful | self.forgotten, f"{claim} was given while {other} was under way"
        if isinstance(said, Refused) and not self.lost_power:
            holds = self.reader.statuses(claim.run_id)[claim.host] == f"running {claim.token}"
            assert not holds, f"{machine.name} refuses {claim}, which the record holds for the newest"
        return said

    def finish(self, claim: Claim, result: HostResult) -> Freed | None:
        """Write a host's end."""
        return self.writer.finish(claim, result, log=LogPart(), pins={})

    def lose_power(self, *, mail: bool) -> None:
        """Redis loses its power, and what was in memory only; ``mail`` tells whether its queues survive."""
        before = self.observe()
        self.redis.restart(from_disk=True)
        after = self.observe()
        self.lost_power = True
        if not mail:
            self.mail.messages = []
        for run_id, run in before.runs.items():
            kept = after.runs[run_id].statuses if run_id in after.runs else {}
            self.forgotten |= {(run_id, host) for host, was in run.statuses.items() if kept.get(host) != was}

    def tell_gate(self, run_id: str) -> None:
        """Send the gate's message."""
        standing = self.writer.standing(run_id)
        if standing is not None:
            self.mail.gate(run_id, title=standing.title, pools=standing.pools)

    def beat(self) -> None:
        """Every worker that runs renews its lease, and learns of what became of it."""
        beating = [each for each in self.workers if not each.frozen]
        answers = self.writer.renew([each.claim for each in beating], lease_seconds=LEASE)
        for each, answer in zip(beating, answers, strict=True):
            each.take_note(answer)

    def work(self, worker: Worker) -> None:
        """One worker does its next piece."""
        try:
            worker.work()
        finally:
            self.workers = [each for each in self.workers if not each.over]

    def progress(self) -> bool:
        """Messages arrive, hosts go on, workers work; whether anything happened."""
        messages, self.mail.messages = self.mail.messages, []
        for each in messages:
            self.deliver(each)
        working = [each for each in self.workers if not each.frozen]
        for machine in self.machines.values():
            machine.go_on()
        for worker in working:
            self.work(worker)
        return bool(messages or working)

    def explain(self, run_id: str) -> None:
        """Ask how a run stands."""
        self.presence.announce(name="w", pool="official", version="1", slots=16, busy=len(self.workers))
        said = self.reader.explanation(run_id)
        assert said is None or len(said) > len("The run is ."), run_id


@contextmanager
def _plainly() -> Iterator[None]:
    yield
