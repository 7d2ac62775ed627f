"""What is read from the record: the shapes that ``--json`` prints (DESIGN §8)."""

from typing import Literal

from config.values import Value
from tasks.outcomes import Outcome, RunState, StepResult
from tasks.plan import RunKind

HostPhase = Literal["waiting", "sent", "running", "done"]


class HostView(Value):
    """One host of a run.

    Attributes:
        phase: how far it is; ``sent`` means a message is out and no worker has it yet.
        outcome: None until it has ended.
        seconds: from its claim by a worker to its end.
        worker: who has it, or had it last.
    """

    name: str
    pool: str
    route: str
    phase: HostPhase = "waiting"
    outcome: Outcome | None = None
    cause: str | None = None
    message: str = ""
    seconds: float | None = None
    worker: str | None = None
    steps: tuple[StepResult, ...] = ()


class BatchView(Value):
    """Hosts that go together, counted from 1."""

    index: int
    state: Literal["waiting", "running", "done"]
    hosts: tuple[HostView, ...]


class RunView(Value):
    """Everything about one run but its logs.

    Attributes:
        created, started, finished: seconds since 1970 by the Redis server's clock.
        verification: for a deployment, the run that verifies its hosts first.
        reason: why it ended as it did.
        waiting: why it isn't moving right now, in one sentence; empty when it is.
        retry_of: the run whose hosts it tries again.
        rollback_of: the run whose hosts it takes back to what they had.
        followed_by: the run that does so with its own hosts.
        warnings: which of its hosts go without a check of their certificate, or without encryption.
    """

    id: str
    kind: RunKind
    title: str
    state: RunState
    application: str | None
    parameters: dict[str, str]
    operator: str
    created: float
    started: float | None
    finished: float | None
    batches: tuple[BatchView, ...]
    verification: str | None = None
    cancelled_by: str | None = None
    paused_by: str | None = None
    retry_of: str | None = None
    rollback_of: str | None = None
    followed_by: str | None = None
    reason: str = ""
    waiting: str = ""
    warnings: tuple[str, ...] = ()


class RunSummary(Value):
    """One line of ``longshore runs``."""

    id: str
    kind: RunKind
    title: str
    state: RunState
    operator: str
    created: float
    finished: float | None
    hosts: int
    failed: int


class EventView(Value):
    """One event of a run.

    Attributes:
        id: the stream's id; pass it as ``after`` to go on from here.
        at: seconds since 1970.
        kind: what happened (docs/reference/record.md).
        data: text or JSON, by kind (docs/reference/record.md).
    """

    id: str
    at: float
    kind: str
    host: str
    data: str


class LogView(Value):
    """What one host printed.

    Attributes:
        cut: bytes left out between head and tail.
    """

    head: bytes
    cut: int = 0
    tail: bytes = b""


class WorkerView(Value):
    """One live worker process."""

    name: str
    pool: str
    version: str
    slots: int
    busy: int
    seen: float


class PoolView(Value):
    """One pool: its live workers, and what waits in its queue."""

    name: str
    kind: str | None
    workers: tuple[WorkerView, ...]
    slots: int
    busy: int
    waiting: int
