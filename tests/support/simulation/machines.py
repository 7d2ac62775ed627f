"""Machines as the host script's driver makes them: they compare tokens, and work on without anyone."""

from dataclasses import dataclass, field
from typing import Literal

from tasks.hostscript.control import (
    Busy,
    Event,
    Finished,
    Refused,
    Status,
    StepEnded,
    StepStarted,
    Stopped,
)
from tasks.record.claims import Token

Death = Literal["killed", "rebooted", "unsaid"]
"""How a runner ends: killed, with its host, or just after its step had ended and before it could say so."""


@dataclass
class RunDirectory:
    """What a machine keeps of one run.

    Attributes:
        log: what the runner said, in order.
        runner: it lives.
        open: the step that it is in.
        death: how the last runner ended that left no end.
        cancelled: the run was ended before it began.
    """

    steps: int
    token: tuple[int, int] = (0, 0)
    log: list[Event] = field(default_factory=list)
    runner: bool = False
    open: int | None = None
    death: Death | None = None
    cancelled: bool = False
    begun: bool = False

    @property
    def end(self) -> Finished | None:
        """Its last word, once it has said that."""
        last = self.log[-1] if self.log else None
        return last if isinstance(last, Finished) else None

    @property
    def status(self) -> Status:
        """How the run stands, as its driver says it."""
        if self.cancelled:
            return Status(state="cancelled", size=0)
        if not self.begun:
            return Status(state="new", size=0)
        if self.end is not None:
            return Status(state="finished", size=len(self.log))
        if self.runner:
            return Status(state="running", size=len(self.log))
        return Status(
            state="gone", size=len(self.log), detail="rebooted" if self.death == "rebooted" else "killed"
        )


@dataclass
class Machine:
    """One machine, and the ledger that its steps write.

    Attributes:
        behind: the proxy on its way, if there is one.
        reached: the network lets workers through to it.
        ledger: run, step, and whether it began or ended there, in order.
    """

    name: str
    behind: str
    reached: bool = True
    runs: dict[str, RunDirectory] = field(default_factory=dict)
    ledger: list[tuple[str, int, Literal["began", "ended"]]] = field(default_factory=list)

    def enter(self, run_id: str, token: Token, steps: int) -> RunDirectory | Refused:
        """Into a run's directory, for whoever has the newest token."""
        run = self.runs.setdefault(run_id, RunDirectory(steps=steps))
        if (token.epoch, token.number) < run.token:
            return Refused(epoch=run.token[0], number=run.token[1])
        run.token = (token.epoch, token.number)
        return run

    def drive(self, run_id: str, token: Token, steps: int, *, first: int | None) -> Status | Busy | Refused:
        """Begin the run, or go on with it at step ``first``, if it stands so; else say how it stands."""
        run = self.enter(run_id, token, steps)
        if isinstance(run, Refused):
            return run
        status = run.status
        if status.state != ("new" if first is None else "gone"):
            return status
        other = self.under_way
        if other is not None:
            return Busy(run_id=other)
        run.begun, run.runner, run.death = True, True, None
        self._begin_step(run_id, run, first or 1)
        return status

    def stop(self, run_id: str, token: Token, steps: int) -> Stopped | Refused:
        """End the run's processes; they are gone after that."""
        run = self.enter(run_id, token, steps)
        if isinstance(run, Refused):
            return run
        if not run.begun:
            run.cancelled = True
        if run.cancelled:
            return Stopped(result="never")
        if run.end is not None:
            return Stopped(result="finished")
        run.runner, run.open = False, None
        run.log.append(Finished(uptime=0.0, exit_code=130, cancelled=True))
        return Stopped(result="gone")

    @property
    def under_way(self) -> str | None:
        """The run whose runner lives."""
        return next((run_id for run_id, run in self.runs.items() if run.runner), None)

    def go_on(self, *, well: bool = True) -> None:
        """The runner's step ends, and the next one begins."""
        run_id = self.under_way
        if run_id is None:
            return
        run = self.runs[run_id]
        step = run.open
        assert step is not None
        self.ledger.append((run_id, step, "ended"))
        run.open = None
        run.log.append(StepEnded(index=step, uptime=0.0, exit_code=0 if well else 1))
        if well and step < run.steps:
            self._begin_step(run_id, run, step + 1)
            return
        run.runner = False
        run.log.append(Finished(uptime=0.0, exit_code=0 if well else 1))

    def die(self, how: Death) -> None:
        """The runner is killed in its step."""
        run_id = self.under_way
        if run_id is None:
            return
        run = self.runs[run_id]
        if how == "unsaid":
            assert run.open is not None
            self.ledger.append((run_id, run.open, "ended"))
        run.runner, run.open, run.death = False, None, how

    def _begin_step(self, run_id: str, run: RunDirectory, step: int) -> None:
        run.open = step
        run.log.append(StepStarted(index=step, uptime=0.0))
        self.ledger.append((run_id, step, "began"))
