"""What is told to the record's scripts, and what they answer."""

from dataclasses import dataclass
from typing import Literal

from tasks.outcomes import RunState

IfBusy = Literal["wait", "fail", "supersede"]
"""What becomes of a deployment whose hosts another one wants: it waits, it is not made, or it takes the place
of those of the same application that only wait."""
Decision = Literal["ok", "failed", "rerun"]
"""What a person makes of a host whose end is not known."""


@dataclass(frozen=True, kw_only=True)
class LogPart:
    """What is new in a host's log.

    Attributes:
        head: bytes to append to the head.
        tail: the whole tail as it is now; empty while nothing was cut.
        cut: bytes left out between head and tail.
        anew: it is the log's beginning; what another worker wrote before is replaced.
    """

    head: bytes = b""
    tail: bytes = b""
    cut: int = 0
    anew: bool = False


@dataclass(frozen=True, kw_only=True)
class Links:
    """The runs that a new run has to do with.

    Attributes:
        verification: the run that verifies its hosts first.
        retry_of: the run whose hosts it tries again.
        rollback_of: the run whose hosts it takes back to what they had before.
    """

    verification: str | None = None
    retry_of: str | None = None
    rollback_of: str | None = None

    def fields(self) -> dict[str, str]:
        """Those that there are, by name."""
        return {name: run for name, run in vars(self).items() if run}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A new run is written.

    Attributes:
        superseded: runs that it takes the place of; their gates are to be told.
    """

    superseded: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Busy:
    """Nothing was written: another run wants one of the hosts.

    Attributes:
        host: its name in that run.
    """

    run_id: str
    host: str


@dataclass(frozen=True, kw_only=True)
class Freed:
    """What follows from a host's end.

    Attributes:
        left: hosts of its batch that haven't ended.
        waiting_run: the run that comes next for the machine, if its message was here already; else empty.
        waiting_host: that run's name for it.
    """

    left: int
    waiting_run: str = ""
    waiting_host: str = ""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a run stands, as far as the gate needs it.

    Attributes:
        pools: the pools of its hosts.
        batch: index of the batch under way or done last; -1 before the first.
        left: hosts of that batch that haven't ended.
        failed: hosts that ended other than ok, in the whole run.
        verification: the run whose end this one waits for, if any.
        waiting_run: the run that waits for this one's end, if any.
    """

    title: str
    kind: str
    pools: tuple[str, ...]
    state: RunState
    batch: int
    left: int
    failed: int
    cancelled_by: str | None
    verification: str | None
    waiting_run: str | None


@dataclass(frozen=True, kw_only=True)
class Paused:
    """A run is held.

    Attributes:
        under_way: hosts that still finish.
    """

    under_way: int


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A decision about a host is written.

    Attributes:
        unknown: hosts whose end is still not known.
        goes_on: the run does; its gate is to be told.
    """

    unknown: int
    goes_on: bool


@dataclass(frozen=True, kw_only=True)
class NotSteered:
    """Nothing was written: the run, or the host, doesn't stand where that could be done.

    Attributes:
        state: of the run, or the status of the host; empty when there is none.
    """

    state: str
    cancelled_by: str = ""
