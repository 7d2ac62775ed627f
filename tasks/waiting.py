"""Says in one sentence why a run isn't moving. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.outcomes import RunState
from tasks.record.views import HostPhase, WorkerView

NAMES_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class HostStanding:
    """How far one host of the batch under way is; of the whole run before its first batch."""

    name: str
    pool: str
    phase: HostPhase


def waiting_for(
    *,
    state: RunState,
    hosts: Sequence[HostStanding],
    workers: Sequence[WorkerView],
    held: Mapping[str, str] | None = None,
    verification: str | None = None,
) -> str:
    """Why a run, or a part of it, isn't moving; empty when it is.

    Args:
        state: of the run.
        hosts: of the batch under way; of the whole run before its first batch.
        workers: those that live, of any pool.
        held: host to the other run that has it now.
        verification: id of its verification run, while that hasn't ended.
    """
    if state not in {RunState.QUEUED, RunState.RUNNING}:
        return ""
    if verification:
        return f"waiting: its verification, run {verification}, hasn't ended"
    left = [host for host in hosts if host.phase != "done"]
    if not left:
        return ""
    reasons = _absent(left, workers) + _busy(left, workers) + _held(left, held or {})
    if not reasons and state is RunState.QUEUED:
        reasons = [f"its message is on the way to pool {left[0].pool}"]
    return f"waiting: {'; '.join(reasons)}" if reasons else ""


def abbreviated(names: Sequence[str], shown: int = NAMES_SHOWN) -> str:
    """Names for a sentence: all of them when few, else the first and how many more."""
    if len(names) <= shown + 1:
        return ", ".join(names)
    return f"{', '.join(names[:shown])} and {len(names) - shown} more"


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


def _held(left: Sequence[HostStanding], held: Mapping[str, str]) -> list[str]:
    by_run: dict[str, list[str]] = defaultdict(list)
    for host in left:
        if host.name in held and host.phase != "running":
            by_run[held[host.name]].append(host.name)
    return [
        f"{abbreviated(names)} {'is' if len(names) == 1 else 'are'} held by run {run}"
        for run, names in by_run.items()
    ]
