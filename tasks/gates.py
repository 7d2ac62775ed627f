"""The gate between two batches: what happens next, decided from complete outcomes only. Pure."""

from dataclasses import dataclass

from tasks.outcomes import Outcome, RunState


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Nothing to decide yet."""


@dataclass(frozen=True, kw_only=True)
class Begin:
    """Begin the batch with this index."""

    batch: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class End:
    """End the run."""

    state: RunState
    reason: str


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What the gate looks at.

    Attributes:
        batch: index of the batch done last; -1 before the first.
        batches: how many there are.
        left: hosts of the current batch that haven't ended.
        outcomes: how many hosts of the whole run ended in which way.
        limit: more hosts than this ending other than ok stop the run.
        cancelled_by: who cancels it.
    """

    state: RunState
    batch: int
    batches: int
    left: int
    outcomes: dict[Outcome, int]
    limit: int
    cancelled_by: str | None = None

    @property
    def failed(self) -> int:
        """Hosts that ended other than ok; those never begun are none of them."""
        return sum(
            count
            for outcome, count in self.outcomes.items()
            if outcome not in {Outcome.OK, Outcome.NOT_STARTED}
        )


def decide(tally: Tally) -> Wait | Begin | End:
    """What follows from where a run stands."""
    if tally.state not in {RunState.QUEUED, RunState.RUNNING} or tally.left > 0:
        return Wait()
    unknown = tally.outcomes.get(Outcome.INDETERMINATE, 0)
    if unknown:
        return End(
            state=RunState.NEEDS_ATTENTION,
            reason=f"how {_hosts(unknown)} ended is not known; look at them before going on",
        )
    if tally.cancelled_by:
        return End(state=RunState.CANCELLED, reason=f"cancelled by {tally.cancelled_by}")
    if tally.failed > tally.limit:
        allowed = f"more than the {tally.limit} that max_failed allows" if tally.limit else "none may fail"
        return End(state=RunState.FAILED, reason=f"{_hosts(tally.failed)} failed, {allowed}")
    if tally.batch + 1 < tally.batches:
        position = f"batch {tally.batch + 2} of {tally.batches}"
        return Begin(batch=tally.batch + 1, reason=f"{position}: {_hosts(tally.failed)} failed so far")
    reason = (
        "every host ended ok" if not tally.failed else f"{_hosts(tally.failed)} failed, within max_failed"
    )
    return End(state=RunState.SUCCEEDED, reason=reason)


def _hosts(count: int) -> str:
    return f"{count} host" if count == 1 else f"{count} hosts"
