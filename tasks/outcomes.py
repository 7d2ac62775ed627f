"""How a host, a step, a batch and a run can stand and end."""

from enum import StrEnum

from pydantic import Field

from config.causes import Cause
from config.values import Value


class Outcome(StrEnum):
    """A host's end."""

    OK = "ok"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    INDETERMINATE = "indeterminate"
    CANCELLED = "cancelled"
    NOT_STARTED = "not_started"


class RunState(StrEnum):
    """How a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    AWAITING_APPROVAL = "awaiting_approval"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NEEDS_ATTENTION = "needs_attention"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.NEEDS_ATTENTION}


class StepState(StrEnum):
    """How a step stands on a host."""

    PENDING = "pending"
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    TIMED_OUT = "timed_out"
    INDETERMINATE = "indeterminate"
    CANCELLED = "cancelled"


class StepResult(Value):
    """One step on one host, or one stage of its verification.

    Attributes:
        seconds: how long it took by the host's clock; None while unknown.
        note: what people should know of it, such as that a kept connection was used.
    """

    name: str
    state: StepState = StepState.PENDING
    exit_code: int | None = None
    seconds: float | None = None
    note: str = ""


class Later(Value):
    """A host that has not ended: it can't be reached now, and is to be tried again.

    Attributes:
        begun: it may have begun on the host.
        seconds: until it is tried again.
        proxy: the proxy that is down, where it is one; else empty.
        cause: why it can't be reached, and a line for people.
    """

    begun: bool
    seconds: float
    proxy: str = ""
    cause: Cause
    message: str = ""


class HandedOver(Value):
    """A host that has not ended, and goes on without this worker, which was asked to end."""


class HostResult(Value):
    """How one host ended.

    Attributes:
        cause: None exactly when the outcome is ok.
        message: one cleaned line that says what happened here, for people.
        seconds: from claim to end.
        observed_keys: host keys seen while verifying, by host or proxy name, to be pinned.
    """

    outcome: Outcome
    cause: Cause | None = None
    message: str = ""
    seconds: float = 0.0
    steps: tuple[StepResult, ...] = ()
    observed_keys: dict[str, str] = Field(default_factory=dict)

    @property
    def summary(self) -> str:
        """How it ended in two words: ``ok``, ``failed: step_failed``; nothing of what a host said."""
        return f"{self.outcome}: {self.cause}" if self.cause else str(self.outcome)
