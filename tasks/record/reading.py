"""Reads the record for people and programs; changes nothing."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from config.targets import HostTarget
from tasks.outcomes import HostResult, Outcome, RunState
from tasks.plan import Plan
from tasks.record import keys
from tasks.record.store import as_text
from tasks.record.views import (
    BatchView,
    EventView,
    HostView,
    LogView,
    RunSummary,
    RunView,
)

if TYPE_CHECKING:
    from redis import Redis


class RecordReader:
    """Everything that is read of runs."""

    def __init__(self, redis: "Redis") -> None:
        self.redis = redis

    def exists(self, run_id: str) -> bool:
        """Whether there is such a run."""
        return bool(self.redis.exists(keys.run(run_id)))

    def recent(self, limit: int = 20) -> list[RunSummary]:
        """The newest runs, newest first."""
        newest: Any = self.redis.zrange(keys.RUNS, 0, limit - 1, desc=True)
        ids = [each.decode() for each in newest]
        summaries = []
        for run_id in ids:
            fields = self._fields(run_id)
            if fields:
                summaries.append(
                    RunSummary(
                        id=run_id,
                        kind=fields["kind"],
                        title=fields["title"],
                        state=RunState(fields["state"]),
                        operator=fields["operator"],
                        created=_seconds(fields["created"]),
                        finished=_optional_seconds(fields.get("finished")),
                        hosts=int(fields["hosts"]),
                        failed=int(fields["failed"]),
                    )
                )
        return summaries

    def active(self) -> list[str]:
        """Ids of the runs that haven't ended."""
        return sorted(str(as_text(each)) for each in self.redis.smembers(keys.ACTIVE))

    def plan(self, run_id: str, *, with_hosts: bool = True) -> Plan | None:
        """The frozen plan; without its hosts where those aren't needed."""
        raw = self.redis.hget(keys.run(run_id), "plan")
        if raw is None:
            return None
        fields = json.loads(raw)
        fields["hosts"] = {}
        if with_hosts:
            targets = self.redis.hgetall(keys.hosts(run_id))
            fields["hosts"] = {as_text(name): json.loads(target) for name, target in targets.items()}
        return Plan.model_validate(fields)

    def targets(self, run_id: str, names: Sequence[str]) -> dict[str, HostTarget]:
        """The targets of some of a run's hosts."""
        raw = self.redis.hmget(keys.hosts(run_id), list(names)) if names else []
        return {
            name: HostTarget.model_validate_json(value)
            for name, value in zip(names, raw, strict=True)
            if value is not None
        }

    def marker(self, run_id: str) -> str:
        """The random text that the control lines of this run carry."""
        return as_text(self.redis.hget(keys.run(run_id), "marker")) or ""

    def statuses(self, run_id: str) -> dict[str, str]:
        """Host to ``waiting``, ``sent``, ``running TOKEN`` or ``done OUTCOME``."""
        raw = self.redis.hgetall(keys.status(run_id))
        return {str(as_text(name)): str(as_text(value)) for name, value in raw.items()}

    def outcomes(self, run_id: str) -> Counter[Outcome]:
        """How many hosts ended in which way."""
        statuses = self.statuses(run_id).values()
        return Counter(Outcome(text.removeprefix("done ")) for text in statuses if text.startswith("done "))

    def results(self, run_id: str) -> dict[str, HostResult]:
        """Host to its result, for those that have ended."""
        raw = self.redis.hgetall(keys.results(run_id))
        return {str(as_text(name)): HostResult.model_validate_json(value) for name, value in raw.items()}

    def run(self, run_id: str) -> RunView | None:
        """Everything about a run but its logs; None when there is no such run."""
        fields = self._fields(run_id)
        plan = self.plan(run_id)
        if not fields or plan is None:
            return None
        state = RunState(fields["state"])
        statuses, results = self.statuses(run_id), self.results(run_id)
        batches = tuple(
            BatchView(
                index=position + 1,
                state=_batch_state(position, int(fields["batch"]), int(fields["left"])),
                hosts=tuple(
                    _host_view(plan.hosts[name], statuses.get(name, "waiting"), results.get(name), state)
                    for name in names
                ),
            )
            for position, names in enumerate(plan.batches)
        )
        shown = plan.parameters | dict.fromkeys(plan.secrets, "(secret)")
        return RunView(
            id=run_id,
            kind=plan.kind,
            title=fields["title"],
            state=state,
            application=plan.application.application if plan.application else None,
            parameters=shown,
            operator=fields["operator"],
            created=_seconds(fields["created"]),
            started=_optional_seconds(fields.get("started")),
            finished=_optional_seconds(fields.get("finished")),
            batches=batches,
            verification=fields.get("verification"),
            cancelled_by=fields.get("cancelled_by"),
            reason=fields.get("reason", ""),
        )

    def events(self, run_id: str, *, after: str = "0-0", block_ms: int | None = None) -> list[EventView]:
        """Events after the one with id ``after``; waits up to ``block_ms`` for the first when given."""
        answer: Any = self.redis.xread({keys.events(run_id): after}, count=1000, block=block_ms)
        entries = answer[0][1] if answer else []
        return [_event_view(entry_id.decode(), fields) for entry_id, fields in entries]

    def follow(self, run_id: str, *, after: str = "0-0", block_ms: int = 1000) -> Iterator[list[EventView]]:
        """Batches of events until the run's ``finished``; an empty one whenever nothing came in time."""
        while True:
            events = self.events(run_id, after=after, block_ms=block_ms)
            yield events
            if events:
                after = events[-1].id
                if events[-1].kind == "finished":
                    return

    def log(self, run_id: str, host: str) -> LogView:
        """What a host printed so far."""
        head = self.redis.get(keys.log(run_id, host)) or b""
        cut, tail = self.redis.hmget(keys.log_tail(run_id, host), ["cut", "tail"])
        return LogView(head=head, cut=int(cut or 0), tail=tail or b"")

    def _fields(self, run_id: str) -> dict[str, str]:
        raw = self.redis.hgetall(keys.run(run_id))
        return {str(as_text(name)): str(as_text(value)) for name, value in raw.items()}


def _batch_state(position: int, current: int, left: int) -> str:
    if position > current:
        return "waiting"
    return "running" if position == current and left else "done"


def _host_view(target: HostTarget, status: str, result: HostResult | None, run_state: RunState) -> HostView:
    phase = status.split(" ", 1)[0]
    view = HostView(
        name=target.name,
        pool=target.pool,
        route=target.route_text,
        phase=phase,
    )
    if result is None:
        return view.model_copy(update={"outcome": Outcome.NOT_STARTED}) if run_state.ended else view
    return view.model_copy(
        update={
            "outcome": result.outcome,
            "cause": result.cause,
            "message": result.message,
            "seconds": result.seconds,
            "steps": result.steps,
        }
    )


def _event_view(entry_id: str, fields: dict[bytes, bytes]) -> EventView:
    return EventView(
        id=entry_id,
        at=int(entry_id.split("-", maxsplit=1)[0]) / 1000,
        kind=fields[b"t"].decode(),
        host=fields[b"h"].decode(),
        data=fields[b"d"].decode(errors="replace"),
    )


def _seconds(milliseconds: str) -> float:
    return int(milliseconds) / 1000


def _optional_seconds(milliseconds: str | None) -> float | None:
    return _seconds(milliseconds) if milliseconds else None
