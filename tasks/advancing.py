"""Carries out what the gate decides. Any number of copies at the same time change nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from config.causes import Cause
from config.targets import HostTarget
from tasks.gates import Begin, End, Tally, decide
from tasks.outcomes import HostResult, Outcome
from tasks.plan import Plan
from tasks.planning import failure_limit
from tasks.record.answers import Standing
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter


class Outbox(Protocol):
    """Where messages go."""

    def hosts(self, run_id: str, kind: str, targets: Iterable[HostTarget], *, title: str, batch: str) -> None:
        """Send one message per host; ``batch`` as people read it: ``batch 2/5``."""

    def gate(self, run_id: str, *, title: str, pools: Sequence[str], first: bool = False) -> None:
        """Send the message that lets a run's gate decide, to one of its pools; ``first`` of that run."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What the gate did once.

    Attributes:
        said: it, for people; empty where there was nothing to do.
        again: the run may stand at its next gate already.
    """

    said: str = ""
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Gatekeeper:
    """Applies the gate's decisions; of many at the same time, one wins each step."""

    reader: RecordReader
    writer: RecordWriter
    outbox: Outbox

    def advance(self, run_id: str) -> str:
        """Let the run's gate decide until there is nothing to decide, and act on it.

        Returns:
            What it did in the end, for people; empty when there was nothing to decide.
        """
        plan = self.reader.plan(run_id, with_hosts=False)
        said, again = "", plan is not None
        while plan is not None and again:
            taken = self._step(run_id, plan)
            said, again = taken.said or said, taken.again
        return said

    def _step(self, run_id: str, plan: Plan) -> Taken:
        standing = self.writer.standing(run_id)
        if standing is None or not _verified(run_id, standing, self.reader, self.writer):
            return Taken()
        match decide(_tally(run_id, standing, plan, self.reader)):
            case Begin() as decision:
                return self._begin(run_id, standing, plan, decision)
            case End() as decision:
                return self._end(run_id, standing, decision)
        return Taken()

    def _begin(self, run_id: str, standing: Standing, plan: Plan, decision: Begin) -> Taken:
        hosts = plan.batches[decision.batch]
        begun = self.writer.begin_batch(
            run_id, seen=standing.batch, batch=decision.batch, reason=decision.reason, hosts=hosts
        )
        if not begun:
            return Taken()
        statuses = self.reader.statuses(run_id)
        sent = [host for host in hosts if statuses[host] == "sent"]
        send_hosts(run_id, decision.batch, sent, plan, self.reader, self.outbox)
        return Taken(said=f"{_position(decision.batch, plan)} begins", again=not sent)

    def _end(self, run_id: str, standing: Standing, decision: End) -> Taken:
        ended = self.writer.end_run(run_id, seen=standing.batch, state=decision.state, reason=decision.reason)
        waiting = self.writer.standing(standing.waiting_run) if standing.waiting_run else None
        if ended and standing.waiting_run and waiting:
            self.outbox.gate(standing.waiting_run, title=waiting.title, pools=waiting.pools, first=True)
        return Taken(said=f"run {decision.state}" if ended else "")


def send_hosts(
    run_id: str, batch: int, names: Sequence[str], plan: Plan, reader: RecordReader, outbox: Outbox
) -> None:
    """Send the messages of some hosts of a batch."""
    targets = reader.targets(run_id, names)
    outbox.hosts(run_id, plan.kind, targets.values(), title=plan.title, batch=_position(batch, plan))


def _position(batch: int, plan: Plan) -> str:
    return f"batch {batch + 1}/{len(plan.batches)}"


def send_waiting(run_id: str, host: str, reader: RecordReader, outbox: Outbox) -> None:
    """Send the message of a host whose machine has just become free."""
    plan = reader.plan(run_id, with_hosts=False)
    batch = next((index for index, names in enumerate(plan.batches) if host in names), None) if plan else None
    if plan is not None and batch is not None:
        send_hosts(run_id, batch, [host], plan, reader, outbox)


def _verified(run_id: str, standing: Standing, reader: RecordReader, writer: RecordWriter) -> bool:
    """Whether the verification that this run waits for, if any, has ended; its failures are written."""
    if standing.verification is None or standing.batch >= 0 or standing.cancelled_by:
        return True
    verification = writer.standing(standing.verification)
    if verification is not None and not verification.state.ended:
        return False
    found = reader.results(standing.verification)
    refused = {
        name: _before_start(found.get(name, _NEVER_VERIFIED))
        for name in reader.statuses(standing.verification)
        if name not in found or found[name].outcome is not Outcome.OK
    }
    writer.refuse(run_id, refused)
    return True


_NEVER_VERIFIED = HostResult(
    outcome=Outcome.CANCELLED, cause=Cause.CANCELLED, message="its verification was cancelled"
)


def _before_start(result: HostResult) -> HostResult:
    return result.model_copy(
        update={"steps": (), "message": f"before anything was deployed: {result.message}"}
    )


def _tally(run_id: str, standing: Standing, plan: Plan, reader: RecordReader) -> Tally:
    return Tally(
        state=standing.state,
        batch=standing.batch,
        batches=len(plan.batches),
        left=standing.left,
        outcomes=dict(reader.outcomes(run_id)) if standing.left == 0 else {},
        limit=_limit(plan, total=sum(len(names) for names in plan.batches)),
        cancelled_by=standing.cancelled_by,
    )


def _limit(plan: Plan, *, total: int) -> int:
    # A verification halts nothing: every host is looked at, and any failure makes the run failed.
    return 0 if plan.kind == "verification" else failure_limit(plan.max_failed, total)
