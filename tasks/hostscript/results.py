"""How a host stands, out of what it said: events folded into steps, and into the host's end."""

from collections.abc import Sequence
from typing import assert_never

from config.causes import Cause
from tasks.actions.common import AnyStep
from tasks.hostscript.control import (
    Busy,
    DriverFailed,
    Event,
    Finished,
    Output,
    PutDone,
    PutHas,
    Refused,
    RunnerLost,
    Status,
    StepBecame,
    StepCause,
    StepEnded,
    StepSkipped,
    StepStarted,
    Stopped,
)
from tasks.hostscript.driver import TOOL_PACKAGES
from tasks.hostscript.text import clean_line, last_line
from tasks.outcomes import HostResult, Outcome, StepResult, StepState

_KEPT_OUTPUT = 2_048


def silent_driver(exit_code: int | None, errors: bytes) -> DriverFailed:
    """What to make of a driver that ended without a word of its own.

    Args:
        exit_code: of the command; None when it gave none.
        errors: its standard error.
    """
    if b"setsid" in errors and b"not found" in errors.lower():
        return DriverFailed(cause=Cause.TOOL_MISSING, detail="setsid")
    said = last_line(errors)
    code = "no exit code" if exit_code is None else f"exit code {exit_code}"
    detail = f"the login ran no command ({code})" + (f": {said}" if said else "")
    return DriverFailed(cause=Cause.COMMAND, detail=detail)


class Progress:
    """One run on one host, as far as its events have told.

    Attributes:
        ended: the host said that nothing more comes, or that nothing was begun.
        stale: a larger fencing token was there: whoever holds this must write nothing more about the host.
    """

    def __init__(self, steps: Sequence[AnyStep]) -> None:
        self.ended = False
        self.stale = False
        self._steps = {step.index: step for step in steps}
        self._results = {step.index: StepResult(name=step.name) for step in steps}
        self._started: dict[int, float] = {}
        self._current: int | None = None
        self._causes: dict[int, tuple[Cause, str]] = {}
        self._became: set[int] = set()
        self._skipped: set[int] = set()
        self._recent = b""
        self._last_lines: dict[int, str] = {}
        self._finish: Finished | None = None
        self._status: Status | None = None
        self._not_begun: tuple[Cause, str] | None = None

    @property
    def steps(self) -> tuple[StepResult, ...]:
        """Every step in order, as it stands."""
        return tuple(self._results.values())

    @property
    def status(self) -> Status | None:
        """How the run stood on the host when its driver looked; None when it never said."""
        return self._status

    @property
    def current(self) -> int | None:
        """Index of the step that started and has not ended."""
        return self._current

    def apply(self, event: Event) -> None:
        """Take in what the host said next."""
        match event:
            case Output(data=data):
                self._recent = data[-_KEPT_OUTPUT:] if len(data) >= _KEPT_OUTPUT else self._joined(data)
            case StepStarted(index=index, uptime=uptime):
                self._start(index, uptime)
            case StepEnded():
                self._end(event)
            case StepSkipped(index=index):
                self._skipped.add(index)
            case StepBecame(index=index):
                self._became.add(index)
            case StepCause(index=index, cause=cause, detail=detail):
                self._causes[index] = (cause, clean_line(detail))
            case _:
                self._apply_to_run(event)

    def _apply_to_run(
        self,
        event: Status | Finished | RunnerLost | Refused | Busy | DriverFailed | Stopped | PutHas | PutDone,
    ) -> None:
        match event:
            case Status():
                self._status = event
            case Finished():
                self._finish, self.ended = event, True
            case Refused():
                self.stale = self.ended = True
            case Busy(run_id=run_id):
                self._fail(Cause.BUSY, f"run {clean_line(run_id)} is under way on this host")
            case DriverFailed(cause=cause, detail=detail):
                self._fail(cause, _driver_message(cause, clean_line(detail)))
            case RunnerLost():
                self._status, self.ended = Status(state="gone", size=0, detail="killed"), True
            case Stopped() | PutHas() | PutDone():
                pass
            case _:
                assert_never(event)

    def resume_from(self, *, rerun: bool = False) -> int | None:
        """The step at which a run whose runner is gone may go on; None when a person has to look.

        Args:
            rerun: a person has looked, and wants the step whose end is not known run again.
        """
        if self._finish is not None or self._status is None or self._status.state != "gone":
            return None
        if self._status.detail.startswith("orphans"):
            return None
        if self._current is not None:
            return self._current if rerun or self._steps[self._current].idempotent else None
        waiting = (index for index, result in self._results.items() if result.state is StepState.PENDING)
        return next(waiting, None)

    def result(self, *, seconds: float = 0.0) -> HostResult:
        """How the host ended; ``indeterminate`` when its events leave that open.

        Args:
            seconds: from claim to end, by the caller's clock.
        """
        outcome, cause, message = self._verdict()
        steps = self.steps
        if self._current is not None and outcome in {Outcome.CANCELLED, Outcome.INDETERMINATE}:
            state = StepState.CANCELLED if outcome is Outcome.CANCELLED else StepState.INDETERMINATE
            ended = self._results[self._current].model_copy(update={"state": state})
            steps = tuple((self._results | {self._current: ended}).values())
        return HostResult(outcome=outcome, cause=cause, message=message, seconds=seconds, steps=steps)

    def _verdict(self) -> tuple[Outcome, Cause | None, str]:
        if self._finish is None:
            return self._unfinished()
        if self._finish.cancelled:
            return Outcome.CANCELLED, Cause.CANCELLED, f"cancelled{self._at_step()}; its processes are gone"
        if self._finish.exit_code == 0:
            return Outcome.OK, None, ""
        return self._step_failure()

    def _unfinished(self) -> tuple[Outcome, Cause, str]:
        if self._not_begun is not None:
            return Outcome.FAILED, *self._not_begun
        status = self._status
        if status is not None and status.state == "cancelled":
            return Outcome.CANCELLED, Cause.CANCELLED, "cancelled before it began"
        if status is not None and status.state == "gone":
            rebooted = status.detail == "rebooted"
            what = "the host was restarted" if rebooted else "the host script was killed"
            return (
                Outcome.INDETERMINATE,
                Cause.HOST_RESTARTED if rebooted else Cause.SCRIPT_KILLED,
                f"{what}{self._at_step()}; whether it was done is unknown",
            )
        return Outcome.INDETERMINATE, Cause.CONNECTION_LOST, f"the host was lost{self._at_step()}"

    def _step_failure(self) -> tuple[Outcome, Cause, str]:
        failed = (StepState.FAILED, StepState.TIMED_OUT)
        index = next(
            (
                i
                for i, r in reversed(self._results.items())
                if r.state in failed and not self._steps[i].keep_going
            ),
            None,
        )
        if index is None:
            return Outcome.FAILED, Cause.STEP_FAILED, "a step failed"
        result, step = self._results[index], self._steps[index]
        named = f"step {index} ({clean_line(step.name)})"
        if result.state is StepState.TIMED_OUT:
            return (
                Outcome.TIMED_OUT,
                Cause.STEP_TIMEOUT,
                f"{named} was ended after its {step.timeout} seconds",
            )
        line = self._last_lines.get(index, "")
        if index in self._causes:
            cause, detail = self._causes[index]
            return Outcome.FAILED, cause, f"{named}: {_step_message(cause, detail)}"
        if step.become is not None and index not in self._became:
            return (
                Outcome.FAILED,
                Cause.PRIVILEGE,
                f"{named} could not become {step.become}: {line or 'sudo refused'}",
            )
        said = f": {line}" if line else ", and printed nothing"
        return Outcome.FAILED, Cause.STEP_FAILED, f"{named} ended with exit code {result.exit_code}{said}"

    def _at_step(self) -> str:
        if self._current is None:
            return ""
        return f" in step {self._current} ({clean_line(self._steps[self._current].name)})"

    def _fail(self, cause: Cause, message: str) -> None:
        self._not_begun, self.ended = (cause, message), True

    def _start(self, index: int, uptime: float) -> None:
        if index not in self._results:
            return
        # A busy host said so before, in a log that is read again: since then the run has begun.
        self._not_begun, self.ended = None, False
        self._current, self._recent = index, b""
        self._started[index] = uptime
        self._results[index] = StepResult(name=self._results[index].name, state=StepState.RUNNING)

    def _end(self, event: StepEnded) -> None:
        index = event.index
        if index not in self._results:
            return
        state = StepState.OK if event.exit_code == 0 else StepState.FAILED
        if event.timed_out:
            state = StepState.TIMED_OUT
        elif index in self._skipped and event.exit_code == 0:
            state = StepState.SKIPPED
        began = self._started.get(index)
        self._results[index] = StepResult(
            name=self._results[index].name,
            state=state,
            exit_code=event.exit_code,
            seconds=None if began is None else round(max(0.0, event.uptime - began), 2),
        )
        if state is StepState.FAILED:
            self._last_lines[index] = last_line(self._recent)
        self._current = None

    def _joined(self, data: bytes) -> bytes:
        return (self._recent + data)[-_KEPT_OUTPUT:]


def _driver_message(cause: Cause, detail: str) -> str:
    if cause is Cause.TOOL_MISSING:
        return _missing(detail)
    if cause is Cause.WORKDIR:
        return f"the work directory can't be used: {detail}"
    return detail


def _step_message(cause: Cause, detail: str) -> str:
    return _missing(detail) if cause is Cause.TOOL_MISSING else detail


def _missing(tool: str) -> str:
    return f"the host has no {tool}; install the package {TOOL_PACKAGES.get(tool, tool)}"
