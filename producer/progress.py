"""How far a run is, folded from its events. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tasks.outcomes import Outcome, RunState
from tasks.plan import Plan
from tasks.record.views import EventView


@dataclass(frozen=True, kw_only=True)
class BatchProgress:
    """How far one batch is.

    Attributes:
        index: counted from 1.
        hosts: how many it has.
        done: hosts that have ended, in whichever way.
        failed: those of them that ended other than ok.
        running: hosts that a worker has.
        begun: when it began, in seconds since 1970 by the server's clock; None before that.
    """

    index: int
    hosts: int
    done: int = 0
    failed: int = 0
    running: int = 0
    begun: float | None = None

    def seconds_left(self, now: float) -> float | None:
        """Time left, from the hosts done so far; None while nothing is known.

        Args:
            now: seconds since 1970 by the server's clock.
        """
        if self.begun is None or not self.done:
            return None
        return max(now - self.begun, 0.0) / self.done * (self.hosts - self.done)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is, and what is new since the progress before.

    Attributes:
        events: what is new; empty when only time has passed.
        waiting: why it isn't moving, in one sentence; empty when it is.
        outage: what keeps the record from being read right now; empty when nothing does.
        now: seconds since 1970 by the server's clock.
    """

    run_id: str
    title: str
    state: RunState
    batches: tuple[BatchProgress, ...]
    events: tuple[EventView, ...] = ()
    waiting: str = ""
    outage: str = ""
    reason: str = ""
    now: float = 0.0

    @property
    def hosts(self) -> int:
        """How many hosts the run has."""
        return sum(batch.hosts for batch in self.batches)

    @property
    def done(self) -> int:
        """How many of them have ended."""
        return sum(batch.done for batch in self.batches)

    @property
    def failed(self) -> int:
        """How many of those ended other than ok."""
        return sum(batch.failed for batch in self.batches)


class ProgressFold:
    """Takes a run's events one by one; an event that is taken twice changes nothing."""

    def __init__(self, run_id: str, plan: Plan) -> None:
        self.after = "0-0"
        self._batch_of = {name: index for index, names in enumerate(plan.batches) for name in names}
        self._batches = [
            BatchProgress(index=index + 1, hosts=len(names)) for index, names in enumerate(plan.batches)
        ]
        self._running: set[str] = set()
        self._done: set[str] = set()
        self._run = Progress(run_id=run_id, title=plan.title, state=RunState.QUEUED, batches=())

    @property
    def ended(self) -> bool:
        """Whether the run's last event was taken."""
        return self._run.state.ended

    def take(self, events: Sequence[EventView]) -> None:
        """Take new events, in order."""
        for event in events:
            self._take(event)
            self.after = event.id
        self._run = replace(self._run, events=tuple(events))

    def progress(self, *, now: float, waiting: str = "", outage: str = "") -> Progress:
        """How far the run is."""
        return replace(self._run, batches=tuple(self._batches), now=now, waiting=waiting, outage=outage)

    def _take(self, event: EventView) -> None:
        match event.kind:
            case "batch":
                self._change(int(event.data.split(" ", 1)[0]), begun=event.at)
                self._run = replace(self._run, state=RunState.RUNNING)
            case "pause":
                self._run = replace(self._run, state=RunState.PAUSED)
            case "resume" | "reopened":
                self._run = replace(self._run, state=RunState.RUNNING, reason="")
            case "finished":
                state, _, reason = event.data.partition(" ")
                self._run = replace(self._run, state=RunState(state), reason=reason)
            case _:
                self._take_of_host(event)

    def _take_of_host(self, event: EventView) -> None:
        match event.kind:
            case "host_started" | "host_taken_over":
                self._start_host(event.host)
            case "host_waits" | "host_handed_over":
                self._leave_host(event.host)
            case "host_finished":
                self._finish_host(event.host, ok=json.loads(event.data)["outcome"] == Outcome.OK)
            case "resolved":
                self._resolve_host(event.host, event.data.split(" ", 1)[0])

    def _start_host(self, host: str) -> None:
        if host not in self._running and host not in self._done:
            self._running.add(host)
            index = self._batch_of[host]
            self._change(index, running=self._batches[index].running + 1)

    def _leave_host(self, host: str) -> None:
        if host in self._running:
            self._running.discard(host)
            index = self._batch_of[host]
            self._change(index, running=self._batches[index].running - 1)

    def _resolve_host(self, host: str, decision: str) -> None:
        """A person decided about a host that counted as failed, since its end was not known."""
        index = self._batch_of[host]
        batch = self._batches[index]
        if decision == "rerun":
            self._done.discard(host)
            self._change(index, done=batch.done - 1, failed=batch.failed - 1)
        elif decision == "ok":
            self._change(index, failed=batch.failed - 1)

    def _finish_host(self, host: str, *, ok: bool) -> None:
        if host in self._done:
            return
        index = self._batch_of[host]
        batch = self._batches[index]
        running = batch.running - (host in self._running)
        self._running.discard(host)
        self._done.add(host)
        self._change(index, running=running, done=batch.done + 1, failed=batch.failed + (not ok))

    def _change(self, index: int, **changes: Any) -> None:
        self._batches[index] = replace(self._batches[index], **changes)
