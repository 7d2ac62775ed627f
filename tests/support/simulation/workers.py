"""Workers as the runtime makes them, cut into the pieces between which they may die."""

import json
from typing import TYPE_CHECKING, assert_never

from config.causes import Cause
from tasks.actions.steps import Step
from tasks.advancing import send_waiting
from tasks.deferring import later
from tasks.hostscript.control import Finished, Refused, RunnerLost, Status, Stopped
from tasks.hostscript.results import Progress
from tasks.outcomes import HostResult, Later, Outcome
from tasks.record.answers import Freed, LogPart
from tasks.record.claims import Claim
from tests.support.simulation.machines import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.simulation.world import World

RECONNECT_SECONDS = 120.0


class Worker:
    """One worker process that drives one host.

    Attributes:
        frozen: its process is stopped; nothing of it runs until it is thawed.
        over: it has nothing more to do with the host.
    """

    def __init__(self, world: "World", claim: Claim, machine: Machine, steps: tuple[Step, ...]) -> None:
        self.claim = claim
        self.frozen = self.leaving = self.lost = self.over = False
        self.cancelled = bool(claim.cancelled_by)
        self._world = world
        self._machine = machine
        self._steps = steps
        self._progress = Progress(steps)
        self._waited = claim.waited
        self._inherited = self._begun = claim.may_have_begun
        self._offset = 0
        self._first: int | None = None
        self._result: HostResult | None = None
        self._next: Callable[[], None] = self._make_job

    def take_note(self, answer: str) -> None:
        """What its heartbeat was told of this host."""
        self.lost = self.lost or answer == "lost"
        self.cancelled = self.cancelled or answer.startswith("cancel")

    def work(self) -> None:
        """Do the next piece."""
        if self._result is None and self.leaving:
            self._hand_over()
        else:
            self._next()

    def _make_job(self) -> None:
        claim = self.claim
        self._next = self._call
        if claim.waited is not None and not claim.may_have_begun and claim.waited >= self._world.route_wait:
            cause = Cause(claim.waits_for.partition(" ")[0])
            self._end(HostResult(outcome=Outcome.UNREACHABLE, cause=cause, message="waited in vain"))

    def _call(self) -> None:
        cause, proxy = self._world.route(self._machine)
        if cause is None and self.claim.kind == "verification":
            self._end(HostResult(outcome=Outcome.OK))
        elif cause is None:
            if self._waited is not None:
                self._world.writer.arrived(self.claim)
            self._waited, self._next = None, self._drive
        elif self.claim.kind == "verification":
            self._end(HostResult(outcome=Outcome.UNREACHABLE, cause=cause, message="no answer"))
        elif not self._begun:
            self._not_begun(cause, proxy)
        else:
            self._later(cause, proxy, RECONNECT_SECONDS) or self._end(self._unanswered(cause))

    def _not_begun(self, cause: Cause, proxy: str) -> None:
        if self.cancelled:
            self._end(HostResult(outcome=Outcome.CANCELLED, cause=Cause.CANCELLED, message="before it began"))
        elif not self._later(cause, proxy, self._world.route_wait):
            self._end(HostResult(outcome=Outcome.UNREACHABLE, cause=cause, message="no answer"))

    def _later(self, cause: Cause, proxy: str, limit: float) -> bool:
        why = later(cause, "no answer", proxy=proxy, begun=self._begun, waited=self._waited, limit=limit)
        if why is not None:
            self._next = lambda: self._defer(why)
        return why is not None

    def _defer(self, why: Later) -> None:
        self.over = True
        self._world.writer.defer(
            self.claim,
            begun=why.begun,
            seconds=why.seconds,
            proxy=why.proxy,
            cause=f"{why.cause} {why.message}",
        )

    def _unanswered(self, cause: Cause) -> HostResult:
        if self.cancelled:
            return self._unconfirmed()
        return self._progress.result().model_copy(update={"cause": cause})

    def _unconfirmed(self) -> HostResult:
        update = {"outcome": Outcome.INDETERMINATE, "cause": Cause.CANCEL_UNCONFIRMED}
        return self._progress.result().model_copy(update=update)

    def _drive(self) -> None:
        """Start or find the run on the host, or end it."""
        if self.lost:
            self.over = True
        elif self.cancelled:
            self._stop()
        else:
            self._begun, first, self._first = True, self._first, None
            said = self._world.drive(self._machine, self.claim, len(self._steps), first=first)
            self._progress.apply(said)
            self._next = self._follow
            if not isinstance(said, Status) or said.state == "cancelled":
                self._conclude()

    def _follow(self) -> None:
        """Take what the host has said since, and report it."""
        cause, _ = self._world.route(self._machine)
        if cause is not None:
            self._next = self._call
            return
        if self.lost or self.cancelled:
            self._drive()
            return
        before = self._progress.steps
        run = self._machine.runs[self.claim.run_id]
        for event in run.log[self._offset :]:
            self._progress.apply(event)
        self._offset = len(run.log)
        moved = [
            [index, step.state.value, step.exit_code, step.seconds]
            for index, step in enumerate(self._progress.steps)
            if before[index] != step
        ]
        if moved and not self._world.writer.report(self.claim, steps=json.dumps(moved), log=LogPart()):
            self.lost = True
        status = self._progress.status
        if not (self._progress.ended or run.runner) and (status is None or status.state != "gone"):
            self._progress.apply(RunnerLost())
        if self._progress.ended or not run.runner:
            self._conclude()

    def _conclude(self) -> None:
        if self._progress.stale:
            self.lost = self.over = True
            return
        first = self._progress.resume_from(rerun=self.claim.rerun)
        if first is not None:
            self._first, self._next = first, self._drive
        else:
            self._end(self._progress.result())

    def _stop(self) -> None:
        said = self._machine.stop(self.claim.run_id, self.claim.token, len(self._steps))
        match said:
            case Stopped(result="gone"):
                self._progress.apply(Finished(uptime=0.0, exit_code=130, cancelled=True))
                self._end(self._progress.result())
            case Stopped(result="never"):
                self._progress.apply(Status(state="cancelled", size=0))
                self._end(self._progress.result())
            case Stopped():
                # It has finished already: its own end is on the way.
                self.cancelled, self._next = False, self._drive
            case Refused():
                self._end(self._unconfirmed())
            case _:
                assert_never(said)

    def _end(self, result: HostResult) -> None:
        self._result, self._next = result, self._record

    def _record(self) -> None:
        assert self._result is not None
        self.over = True
        freed = None if self.lost else self._world.finish(self.claim, self._result)
        if freed is not None:
            self._go_on(freed)

    def _go_on(self, freed: Freed) -> None:
        world = self._world
        if freed.left == 0:
            world.tell_gate(self.claim.run_id)
        if freed.waiting_run:
            send_waiting(freed.waiting_run, freed.waiting_host, world.reader, world.mail)

    def _hand_over(self) -> None:
        self.over = True
        if self._world.writer.hand_over(self.claim, worker="w"):
            send_waiting(self.claim.run_id, self.claim.host, self._world.reader, self._world.mail)
