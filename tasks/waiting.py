"""Says in one sentence why a run isn't moving. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.outcomes import RunState
from tasks.record.views import HostPhase, WorkerView

NAMES_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class HostStanding:
    """How far one host of the batch under way is; of the whole run before its first batch."""

    name: str
    pool: str
    phase: HostPhase


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What a run, or a part of it, may wait for.

    Attributes:
        hosts: of the batch under way; of the whole run before its first batch.
        workers: those that live, of any pool.
        behind: host to the other run that comes before it for its machine.
        verification: id of its verification run, while that hasn't ended.
        paused_by: who paused it.
        cancelled_by: who cancels it.
        down: proxy that is down to why, for people.
        out_of_reach: host whose work goes on, as far as anyone knows, to why it isn't reached.
        unknown: hosts whose end is not known.
    """

    state: RunState
    hosts: Sequence[HostStanding]
    workers: Sequence[WorkerView]
    behind: Mapping[str, str] = field(default_factory=dict)
    verification: str | None = None
    paused_by: str | None = None
    cancelled_by: str | None = None
    down: Mapping[str, str] = field(default_factory=dict)
    out_of_reach: Mapping[str, str] = field(default_factory=dict)
    unknown: Sequence[str] = ()


def waiting_for(run: Circumstances) -> str:
    """Why a run, or a part of it, isn't moving; empty when it is."""
    if run.state is RunState.NEEDS_ATTENTION and run.unknown:
        return (
            f"waiting for a person: how {abbreviated(run.unknown)} ended is not known; look, and then "
            "`longshore resolve RUN HOST --as ok|failed|rerun`"
        )
    if run.state.ended:
        return ""
    left = [host for host in run.hosts if host.phase != "done"]
    reasons = _absent(left, run.workers)
    if run.state is RunState.PAUSED:
        under_way = [host.name for host in left if host.phase == "running"]
        still = f"; {abbreviated(under_way)} still under way" if under_way else ""
        return "; ".join([f"waiting: paused by {run.paused_by}{still}", *(reasons if under_way else [])])
    if run.verification:
        return f"waiting: its verification, run {run.verification}, hasn't ended"
    if not left:
        return ""
    reasons += _busy(left, run.workers) + _behind(left, run.behind) + _routes(run)
    if not reasons and run.state is RunState.QUEUED:
        reasons = [f"its message is on the way to pool {left[0].pool}"]
    return f"waiting: {'; '.join(reasons)}" if reasons else ""


def explanation(run: Circumstances, *, reason: str, sent_again: str = "") -> str:
    """How a run stands, in one sentence and always.

    Args:
        run: what it may wait for.
        reason: why it ended, once it has.
        sent_again: when messages of it were last sent once more, for people.
    """
    again = f" Its messages were sent again at {sent_again}." if sent_again else ""
    if waiting := waiting_for(run):
        return f"The run is {waiting}.{again}"
    if run.state.ended:
        return f"The run is over: {str(run.state).replace('_', ' ')}{': ' * bool(reason)}{reason}."
    under_way = [host.name for host in run.hosts if host.phase == "running"]
    ending = f"being ended, cancelled by {run.cancelled_by}" if run.cancelled_by else "under way"
    if under_way:
        return f"The run is moving: {abbreviated(under_way)} {_are(under_way)} {ending}.{again}"
    sent = [host.name for host in run.hosts if host.phase == "sent"]
    if sent:
        return f"The run is moving: {abbreviated(sent)} {_are(sent)} about to be taken by a worker.{again}"
    return f"The run is moving: its gate is about to decide what comes next.{again}"


def abbreviated(names: Sequence[str], shown: int = NAMES_SHOWN) -> str:
    """Names for a sentence: all of them when few, else the first and how many more."""
    if len(names) <= shown + 1:
        return ", ".join(names)
    return f"{', '.join(names[:shown])} and {len(names) - shown} more"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _absent(left: Sequence[HostStanding], workers: Sequence[WorkerView]) -> list[str]:
    present = {worker.pool for worker in workers}
    absent = dict.fromkeys(host.pool for host in left if host.pool not in present)
    return [f"no worker of pool {pool} is running" for pool in absent]


def _busy(left: Sequence[HostStanding], workers: Sequence[WorkerView]) -> list[str]:
    moving = {host.pool for host in left if host.phase == "running"}
    reasons = []
    for pool in dict.fromkeys(host.pool for host in left if host.pool not in moving):
        slots = sum(worker.slots for worker in workers if worker.pool == pool)
        busy = sum(worker.busy for worker in workers if worker.pool == pool)
        if slots and busy >= slots:
            reasons.append(f"pool {pool} is busy, {busy} of {slots} slots taken")
    return reasons


def _behind(left: Sequence[HostStanding], behind: Mapping[str, str]) -> list[str]:
    by_run: dict[str, list[str]] = defaultdict(list)
    for host in left:
        if host.name in behind and host.phase != "running":
            by_run[behind[host.name]].append(host.name)
    return [f"run {run} comes first for {abbreviated(names)}" for run, names in by_run.items()]


def _routes(run: Circumstances) -> list[str]:
    reasons = [f"proxy {proxy} is down {why}" for proxy, why in run.down.items()]
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, why in run.out_of_reach.items():
        by_reason[why].append(name)
    return reasons + [
        f"{abbreviated(names)} can't be reached, and what was begun there may go on ({why})"
        for why, names in by_reason.items()
    ]
