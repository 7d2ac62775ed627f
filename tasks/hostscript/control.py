"""What a host says: control lines and output, told apart in the byte stream as it comes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from config.causes import Cause

RunnerState = Literal["new", "running", "finished", "gone", "cancelled"]
StopResult = Literal["gone", "finished", "never", "alive"]

_RUNNER_STATES: dict[str, RunnerState] = {state: state for state in get_args(RunnerState)}
_STOP_RESULTS: dict[str, StopResult] = {result: result for result in get_args(StopResult)}
_LONGEST_LINE = 65_536
_PREFACE = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Bytes that steps printed, exactly."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the run stands on the host, said before anything of its log.

    Attributes:
        state: ``new`` never began; ``gone`` began, has no end, and its runner is dead.
        size: bytes in the log at that moment.
        detail: for ``gone``: ``killed``, ``rebooted``, or ``orphans`` and the pids that still run.
    """

    state: RunnerState
    size: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step began, at ``uptime`` seconds of the host's clock."""

    index: int
    uptime: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """A step ended; ``timed_out`` when the host ended it after its time."""

    index: int
    uptime: float
    exit_code: int
    timed_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSkipped:
    """The step's ``when`` test failed; its end follows."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBecame:
    """The step runs as the other user; before this, what fails is the privilege."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCause:
    """Why a step is failing, by its own account."""

    index: int
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The run is over on this host; nothing follows in its log."""

    uptime: float
    exit_code: int
    cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerLost:
    """The watchdog found that the runner was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A larger fencing token has been here: this driver is stale and did nothing."""

    epoch: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Another run is under way on the host; this one has not begun."""

    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverFailed:
    """The driver could not do its part; nothing was started."""

    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What mode stop came to.

    Attributes:
        result: ``gone`` confirmed; ``never`` had not begun and now can't; ``alive`` could not be ended.
        pids: for ``alive``, what still runs.
    """

    result: StopResult
    pids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PutHas:
    """An upload is awaited from this byte on: an earlier try has brought what is before it."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PutDone:
    """An upload arrived complete, under this name."""

    name: str


Event = (
    Output
    | Status
    | StepStarted
    | StepEnded
    | StepSkipped
    | StepBecame
    | StepCause
    | Finished
    | RunnerLost
    | Refused
    | Busy
    | DriverFailed
    | Stopped
    | PutHas
    | PutDone
)


class ControlParser:
    r"""Turns the bytes of a driver's standard output into events, however they are cut up.

    A control line is ``\n<marker> verb arguments\n``, its first newline included; the rest is output.
    What comes before the status (a login shell's greeting) is no part of the log and gives no event.

    Attributes:
        offset: bytes of the log that have become events: where a new driver has to follow on.
        preface: the beginning of what came before the status.
    """

    def __init__(self, marker: str, *, offset: int = 0) -> None:
        self.offset = offset
        self.preface = b""
        self._needle = b"\n" + marker.encode() + b" "
        self._held = b""
        self._shared = False  # the held bytes begin with the newline that ended a control line
        self._in_log = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that ``data`` completes, in order."""
        buffer = self._held + data if self._held else data
        events: list[Event] = []
        needle, shared, position = self._needle, self._shared, 0
        while (at := buffer.find(needle, position)) >= 0:
            end = buffer.find(b"\n", at + len(needle))
            if end < 0 and len(buffer) - at < _LONGEST_LINE:
                break
            self._output(buffer[position + shared : at], events)
            if end < 0:
                position, shared = at + len(needle), False
                self._output(buffer[at:position], events)
                continue
            self._line(buffer[at + len(needle) : end], end + 1 - at - (shared and at == position), events)
            # Its newline may begin the next line too, where a full disk has cut this one short.
            position, shared = end, True
        hold = at if at >= 0 else self._hold_from(buffer, position)
        self._output(buffer[position + shared : hold], events)
        self._held, self._shared = buffer[hold:], shared and hold == position
        return events

    def _hold_from(self, buffer: bytes, position: int) -> int:
        newline = buffer.rfind(b"\n", max(position, len(buffer) - len(self._needle) + 1))
        return newline if newline >= 0 and self._needle.startswith(buffer[newline:]) else len(buffer)

    def _output(self, data: bytes, events: list[Event]) -> None:
        if not data:
            return
        if self._in_log:
            self.offset += len(data)
            events.append(Output(data=data))
        elif len(self.preface) < _PREFACE:
            self.preface += data[: _PREFACE - len(self.preface)]

    def _line(self, line: bytes, size: int, events: list[Event]) -> None:
        event = _event(line)
        if self._in_log:
            self.offset += size
        elif isinstance(event, Status):
            self._in_log = True
        if event is not None:
            events.append(event)


def _event(line: bytes) -> Event | None:
    words = line.decode("utf-8", "replace").split(" ")
    read = _VERBS.get(words[0])
    if read is None:
        return None
    try:
        return read(words[1:])
    except (ValueError, LookupError):
        # Half a line: the disk was full while it was being written, and it was written again.
        return None


def _status(words: Sequence[str]) -> Event:
    return Status(state=_RUNNER_STATES[words[0]], size=int(words[1]), detail=" ".join(words[2:]).strip())


def _step_ended(words: Sequence[str]) -> Event:
    return StepEnded(
        index=int(words[0]), uptime=float(words[1]), exit_code=int(words[2]), timed_out="timeout" in words[3:]
    )


def _finished(words: Sequence[str]) -> Event:
    return Finished(uptime=float(words[0]), exit_code=int(words[1]), cancelled="cancelled" in words[2:])


def _stopped(words: Sequence[str]) -> Event:
    return Stopped(result=_STOP_RESULTS[words[0]], pids=tuple(int(word) for word in words[1:] if word))


_VERBS: dict[str, Callable[[Sequence[str]], Event]] = {
    "status": _status,
    "start": lambda words: StepStarted(index=int(words[0]), uptime=float(words[1])),
    "end": _step_ended,
    "skip": lambda words: StepSkipped(index=int(words[0])),
    "become": lambda words: StepBecame(index=int(words[0])),
    "cause": lambda words: StepCause(index=int(words[0]), cause=Cause(words[1]), detail=" ".join(words[2:])),
    "finish": _finished,
    "lost": lambda _words: RunnerLost(),
    "have": lambda words: PutHas(size=int(words[0])),
    "refused": lambda words: Refused(epoch=int(words[0]), number=int(words[1])),
    "busy": lambda words: Busy(run_id=words[0]),
    "fail": lambda words: DriverFailed(cause=Cause(words[0]), detail=" ".join(words[1:])),
    "stopped": _stopped,
    "put": lambda words: PutDone(name=words[0]),
}
