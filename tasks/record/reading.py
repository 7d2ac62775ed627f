"""Reads the record for people and programs; changes nothing."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from config.targets import HostTarget
from tasks.outcomes import HostResult, Outcome, RunState, StepResult
from tasks.plan import Plan
from tasks.record import keys
from tasks.record.assembly import (
    batch_state,
    event_view,
    host_phase,
    host_view,
    run_summary,
    run_view,
)
from tasks.record.explaining import circumstances, clock
from tasks.record.folding import step_results
from tasks.record.store import as_text
from tasks.record.views import BatchView, EventView, LogView, RunSummary, RunView
from tasks.replanning import Release
from tasks.waiting import explanation, waiting_for

if TYPE_CHECKING:
    from redis import Redis

_PAGE = 1000


class RecordReader:
    """Everything that is read of runs."""

    def __init__(self, redis: "Redis") -> None:
        self.redis = redis

    def exists(self, run_id: str) -> bool:
        """Whether there is such a run."""
        return bool(self.redis.exists(keys.run(run_id)))

    def state(self, run_id: str) -> RunState | None:
        """How a run stands; None when there is no such run."""
        raw = as_text(self.redis.hget(keys.run(run_id), "state"))
        return RunState(raw) if raw else None

    def created(self, run_id: str) -> int:
        """When a run was written, in ms by the server's clock."""
        return int(self.redis.hget(keys.run(run_id), "created") or 0)

    def recent(self, limit: int = 20) -> list[RunSummary]:
        """The newest runs, newest first."""
        newest: Any = self.redis.zrange(keys.RUNS, 0, limit - 1, desc=True)
        found = [(run_id, self._fields(run_id)) for run_id in (each.decode() for each in newest)]
        return [run_summary(run_id, fields) for run_id, fields in found if fields]

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

    def verified(self, targets: Iterable[HostTarget]) -> dict[str, float]:
        """When hosts were last verified ok, in seconds since 1970; those never are left out."""
        wanted = list(targets)
        stamps = self.redis.hmget(keys.VERIFIED, [keys.identity(each) for each in wanted]) if wanted else []
        return {
            each.name: int(stamp) / 1000
            for each, stamp in zip(wanted, stamps, strict=True)
            if stamp is not None
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
        statuses, results = self.statuses(run_id), self.results(run_id)
        running = {name for name, status in statuses.items() if host_phase(status) == "running"}
        steps = self._steps_under_way(run_id, plan, running)
        run_ended = "finished" in fields
        batches = tuple(
            BatchView(
                index=position + 1,
                state=batch_state(position, int(fields["batch"]), int(fields["left"])),
                hosts=tuple(
                    host_view(
                        plan.hosts[name],
                        statuses.get(name, "waiting"),
                        results.get(name),
                        run_ended=run_ended,
                        steps=steps.get(name, ()),
                    )
                    for name in names
                ),
            )
            for position, names in enumerate(plan.batches)
        )
        waiting = waiting_for(circumstances(self.redis, run_id, fields, plan, statuses))
        return run_view(run_id, fields, plan, batches, waiting)

    def waiting(self, run_id: str, plan: Plan) -> str:
        """Why the run isn't moving right now, in one sentence; empty when it is."""
        fields = self._fields(run_id)
        if not fields:
            return ""
        return waiting_for(circumstances(self.redis, run_id, fields, plan, self.statuses(run_id)))

    def events(self, run_id: str, *, after: str = "0-0", block_ms: int | None = None) -> list[EventView]:
        """Events after the one with id ``after``; waits up to ``block_ms`` for the first when given."""
        answer: Any = self.redis.xread({keys.events(run_id): after}, count=_PAGE, block=block_ms)
        entries = answer[0][1] if answer else []
        return [event_view(entry_id.decode(), fields) for entry_id, fields in entries]

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
        return LogView(head=self.log_head(run_id, host), **self._log_tail(run_id, host))

    def log_head(self, run_id: str, host: str, *, start: int = 0) -> bytes:
        """The head of what a host printed so far, from byte ``start`` on."""
        answer: Any = self.redis.getrange(keys.log(run_id, host), start, -1)
        return bytes(answer)

    def _log_tail(self, run_id: str, host: str) -> dict[str, Any]:
        cut, tail = self.redis.hmget(keys.log_tail(run_id, host), ["cut", "tail"])
        return {"cut": int(cut or 0), "tail": tail or b""}

    def explanation(self, run_id: str) -> str | None:
        """How a run stands, in one sentence; None when there is no such run."""
        fields, plan = self._fields(run_id), self.plan(run_id)
        if not fields or plan is None:
            return None
        found = circumstances(self.redis, run_id, fields, plan, self.statuses(run_id))
        sent_again = self._last(run_id, "sent_again") if not found.state.ended else ""
        return explanation(found, reason=fields.get("reason", ""), sent_again=sent_again)

    def _last(self, run_id: str, kind: str) -> str:
        """When something last happened, among the newest events; empty when it didn't."""
        page: Any = self.redis.xrevrange(keys.events(run_id), count=_PAGE)
        events = (event_view(entry_id.decode(), fields) for entry_id, fields in page)
        return next((clock(event.at * 1000) for event in events if event.kind == kind), "")

    def releases(self, targets: Mapping[str, HostTarget], application: str) -> dict[str, list[Release]]:
        """Host to what brought the application there well, the newest first, as far as that is kept."""
        with self.redis.pipeline(transaction=False) as pipeline:
            for target in targets.values():
                pipeline.lrange(keys.releases(target, application), 0, -1)
            histories = [[each.decode() for each in found] for found in pipeline.execute()]
        wanted = {run_id for history in histories for run_id in history}
        known = {run_id: release for run_id in wanted if (release := self._release(run_id))}
        return {
            name: [known[run_id] for run_id in history if run_id in known]
            for name, history in zip(targets, histories, strict=True)
        }

    def _release(self, run_id: str) -> Release | None:
        raw = self.redis.hgetall(keys.release(run_id))
        if not raw:
            return None
        plan = Plan.model_validate({**json.loads(raw[b"plan"]), "hosts": {}})
        title = str(as_text(raw[b"title"]))
        return Release(run_id=run_id, title=title, created=int(raw[b"created"]), plan=plan)

    def _steps_under_way(
        self, run_id: str, plan: Plan, running: set[str]
    ) -> dict[str, tuple[StepResult, ...]]:
        if not plan.steps or not running:
            return {}
        events = self._events_under_way(run_id, running)
        return {
            host: step_results(reversed(newest_first), plan.steps) for host, newest_first in events.items()
        }

    def _events_under_way(self, run_id: str, running: set[str]) -> dict[str, list[EventView]]:
        """Each running host's events since it was begun, newest first; reads back no further than that."""
        found: dict[str, list[EventView]] = {host: [] for host in running}
        missing, before = set(running), "+"
        while missing:
            page: Any = self.redis.xrevrange(keys.events(run_id), max=before, count=_PAGE)
            for entry_id, fields in page:
                event = event_view(entry_id.decode(), fields)
                if event.host in missing:
                    found[event.host].append(event)
                    if event.kind == "host_started":
                        missing.discard(event.host)
            if len(page) < _PAGE:
                break
            before = f"({page[-1][0].decode()}"
        return found

    def _fields(self, run_id: str) -> dict[str, str]:
        raw = self.redis.hgetall(keys.run(run_id))
        return {str(as_text(name)): str(as_text(value)) for name, value in raw.items()}
