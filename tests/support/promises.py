"""The promises of a rollout, checked from what is left of it: the record, and the ledgers of the hosts.

Each check returns what is broken, in words; nothing when the promise was kept. So both the fault tests and
``make chaos`` use them, whatever was done to the workers, to Redis, and to the hosts meanwhile.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from producer.progress import ProgressFold
from tasks.conversing import GLANCE_SECONDS
from tasks.gates import Begin, End, Tally, decide
from tasks.outcomes import HostResult, Outcome, RunState, StepState
from tasks.plan import Plan
from tasks.planning import failure_limit
from tasks.record import keys
from tasks.record.claims import Token
from tasks.record.folding import step_results
from tasks.record.reading import RecordReader
from tasks.record.store import as_text
from tasks.record.views import EventView
from tasks.reporting import FLUSH_SECONDS
from tests.support.ledgers import Line, lines_in, of_runs

_FLUSH_MS = (FLUSH_SECONDS + GLANCE_SECONDS) * 1000 + 100
CLAIMS = ("host_started", "host_taken_over")
_UNAWARE_MS = 2000
"""A worker whose claim a power loss took goes on with its host until it hears so: with its next word, or when
it renews its leases."""


@dataclass(frozen=True, kw_only=True)
class RunEvidence:
    """What the record has of one run.

    Attributes:
        fields: of its hash.
        logs: host to what it printed, where nothing of that was cut.
        explanation: why it stands where it stands, in one sentence.
    """

    run_id: str
    plan: Plan
    fields: Mapping[str, str]
    statuses: Mapping[str, str]
    results: Mapping[str, HostResult]
    events: Sequence[EventView]
    logs: Mapping[str, str]
    explanation: str

    @property
    def state(self) -> RunState:
        """How it stands."""
        return RunState(self.fields["state"])


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is left of some runs, once the faults are over and the runs had their time.

    Attributes:
        runs: in the order in which they were submitted.
        ledgers: host to its ledger; in all of these runs a name is the same machine.
        leases: key to the run that has it.
        lost: stretches of time, in ms, whose writes a power loss took from the record.
    """

    runs: Sequence[RunEvidence]
    ledgers: Mapping[str, Sequence[Line]]
    leases: Mapping[str, str]
    lost: Sequence[tuple[float, float]] = ()


def broken_promises(
    reader: RecordReader,
    run_ids: Sequence[str],
    ledgers: Mapping[str, Sequence[Line]],
    *,
    lost: Sequence[tuple[float, float]] = (),
) -> list[str]:
    """What is broken of the promises, in words; empty when all were kept.

    Args:
        reader: of the record.
        run_ids: the runs, their verifications among them.
        ledgers: host to its ledger, of these runs and maybe of others.
        lost: stretches of time, in ms, whose writes a power loss took from the record.
    """
    return check(collect(reader, run_ids, ledgers, lost=lost))


def collect(
    reader: RecordReader,
    run_ids: Sequence[str],
    ledgers: Mapping[str, Sequence[Line]],
    *,
    lost: Sequence[tuple[float, float]] = (),
) -> Evidence:
    """Read everything that the checks look at."""
    leases = {
        str(as_text(key)): str(as_text(reader.redis.hget(key, "run")))
        for key in reader.redis.scan_iter("lease:*")
    }
    return Evidence(
        runs=[_run_evidence(reader, run_id) for run_id in run_ids],
        ledgers=of_runs(ledgers, run_ids),
        leases=leases,
        lost=lost,
    )


def _run_evidence(reader: RecordReader, run_id: str) -> RunEvidence:
    plan = reader.plan(run_id)
    assert plan is not None, f"the record has no run {run_id}"
    fields = reader.redis.hgetall(keys.run(run_id))
    logs = {name: reader.log(run_id, name) for name in plan.hosts}
    return RunEvidence(
        run_id=run_id,
        plan=plan,
        fields={str(as_text(name)): str(as_text(value)) for name, value in fields.items()},
        statuses=reader.statuses(run_id),
        results=reader.results(run_id),
        events=list(_all_events(reader, run_id)),
        logs={name: log.head.decode(errors="replace") for name, log in logs.items() if not log.cut},
        explanation=reader.explanation(run_id) or "",
    )


def _all_events(reader: RecordReader, run_id: str) -> Iterator[EventView]:
    after = "0-0"
    while page := reader.events(run_id, after=after):
        yield from page
        after = page[-1].id


def check(evidence: Evidence) -> list[str]:
    """What is broken, in words."""
    broken = list(_machines(evidence))
    for run in evidence.runs:
        broken += [f"run {run.run_id}: {each}" for each in _of_run(run, evidence)]
    return broken


def _of_run(run: RunEvidence, evidence: Evidence) -> Iterator[str]:
    yield from _ends(run, evidence.leases)
    yield from _gates(run)
    yield from _claims(run)
    yield from _cancel(run)
    yield from _replay(run)
    if run.plan.kind == "deployment":
        for host in run.plan.hosts:
            lines = [line for line in evidence.ledgers.get(host, ()) if line.run_id == run.run_id]
            yield from (f"{host}: {each}" for each in _host(run, host, lines, evidence.lost))
        yield from _batches_by_ledger(run, evidence)


def _ends(run: RunEvidence, leases: Mapping[str, str]) -> Iterator[str]:
    """Promise 1, invariants 6 and 7: it ends, or says why it waits; what has ended holds nothing."""
    if not run.state.ended:
        if not run.explanation.startswith("The run is waiting"):
            yield f"stuck, and nobody says why: {run.state}, {run.explanation!r}"
        return
    if run.fields["left"] != "0":
        yield f"has ended with {run.fields['left']} hosts of its batch left"
    for host, status in run.statuses.items():
        if status != "waiting" and not status.startswith("done "):
            yield f"has ended, and {host} is {status!r}"
    for key in (key for key, holder in leases.items() if holder == run.run_id):
        yield f"has ended and holds {key}"


def _gates(run: RunEvidence) -> Iterator[str]:
    """Promise 4, invariant 4: batches begin, and the run ends, where the gate says so from whole outcomes."""
    outcomes: dict[str, Outcome] = {}
    batch, cancelled_by = -1, None
    for event in run.events:
        match event.kind:
            case "host_finished":
                outcomes[event.host] = HostResult.model_validate_json(event.data).outcome
            case "cancel":
                cancelled_by = event.data
            case "batch":
                index = int(event.data.split(" ")[0])
                said = decide(_tally(run, batch, outcomes, cancelled_by))
                if not isinstance(said, Begin) or said.batch != index:
                    yield f"batch {index} begins where the gate says {said}"
                batch = index
            case "finished":
                said = decide(_tally(run, batch, outcomes, cancelled_by))
                state = event.data.split(" ")[0]
                if not isinstance(said, End) or said.state != state:
                    yield f"it ends as {state} where the gate says {said}"


def _tally(run: RunEvidence, batch: int, outcomes: Mapping[str, Outcome], cancelled_by: str | None) -> Tally:
    plan = run.plan
    begun = [name for names in plan.batches[: batch + 1] for name in names]
    # A cancelled run's hosts that no worker had are let go; the others are waited for.
    claimed = {event.host for event in run.events if event.kind in CLAIMS}
    left = [name for name in begun if name not in outcomes and not (cancelled_by and name not in claimed)]
    total = sum(len(names) for names in plan.batches)
    return Tally(
        state=RunState.RUNNING,
        batch=batch,
        batches=len(plan.batches),
        left=len(left),
        outcomes=dict(Counter(outcomes.values())),
        limit=0 if plan.kind == "verification" else failure_limit(plan.max_failed, total),
        cancelled_by=cancelled_by,
    )


def _claims(run: RunEvidence) -> Iterator[str]:
    """Promise 3, invariant 3: tokens only rise, and nothing is heard of a host after its end."""
    newest: dict[str, Token] = {}
    over: set[str] = set()
    may_start_again: set[str] = set()
    for event in run.events:
        if event.kind in {*CLAIMS, "steps", "host_finished"} and event.host in over:
            yield f"{event.host} has ended, and then comes {event.kind} {event.data}"
        if event.kind in CLAIMS:
            token = Token.parse(event.data.split(" ")[-1])
            yield from _tokens_rise(event, token, newest.get(event.host), again=event.host in may_start_again)
            newest[event.host] = token
        elif event.kind in {"steps", "host_finished"} and event.host not in newest and not _refused(event):
            yield f"{event.kind} of {event.host}, which no worker has claimed"
        if event.kind == "host_finished":
            over.add(event.host)
        elif event.kind == "host_waits":
            may_start_again.add(event.host)


def _tokens_rise(event: EventView, token: Token, before: Token | None, *, again: bool) -> Iterator[str]:
    if before and (token.epoch, token.number) <= (before.epoch, before.number):
        yield f"{event.host} is claimed under {token} after {before}"
    if before and event.kind == "host_started" and not again:
        yield f"{event.host} is started twice"


def _refused(event: EventView) -> bool:
    """Whether it is the end of a host that was not begun, since its verification failed."""
    return event.kind == "host_finished" and "before anything was deployed" in event.data


def _cancel(run: RunEvidence) -> Iterator[str]:
    """Invariant 8: after a cancel was acknowledged nothing starts."""
    cancelled = False
    for event in run.events:
        if cancelled and event.kind in {"host_started", "batch"}:
            yield f"cancelled, and then comes {event.kind} {event.host} {event.data}"
        cancelled = cancelled or event.kind == "cancel"


def _replay(run: RunEvidence) -> Iterator[str]:
    """Invariant 10: replaying the events gives the record."""
    finished = {event.host: event.data for event in run.events if event.kind == "host_finished"}
    replayed = {host: HostResult.model_validate_json(data) for host, data in finished.items()}
    if replayed != dict(run.results):
        yield f"its events give {replayed}, the record has {dict(run.results)}"
    for host, result in run.results.items():
        if run.statuses[host] != f"done {result.outcome}":
            yield f"{host} ended {result.outcome} and is {run.statuses[host]!r}"
        yield from _replayed_steps(run, host, result)
    fold = ProgressFold(run.run_id, run.plan)
    fold.take(run.events)
    seen = fold.progress(now=0.0)
    failed = sum(result.outcome is not Outcome.OK for result in run.results.values())
    if (seen.done, seen.failed, str(failed)) != (len(run.results), failed, run.fields["failed"]):
        yield f"{seen.done} done and {seen.failed} failed by its events, {failed} of {len(run.results)} so"
    if run.state.ended and seen.state is not run.state:
        yield f"{seen.state} by its events, {run.state} by the record"


def _replayed_steps(run: RunEvidence, host: str, result: HostResult) -> Iterator[str]:
    names = [step.name for step in result.steps]
    told = step_results([event for event in run.events if event.host == host], names)
    for said, kept in zip(told, result.steps, strict=True):
        if said.state is StepState.OK and kept.state is not StepState.OK and run.plan.kind == "deployment":
            yield f"{host}: {said.name} was told to be ok and is {kept.state}"


def _host(
    run: RunEvidence, host: str, lines: Sequence[Line], lost: Sequence[tuple[float, float]]
) -> Iterator[str]:
    """What a host did against what the record says of it."""
    result = run.results.get(host)
    if result is None:
        known = [line for line in lines if not _of_a_lost_claim(line, lost)]
        if known and run.state.ended:
            yield f"was not started by the record, and did {_said(known)}"
        return
    yield from _claimed(run, host, lines, lost)
    yield from _steps(run, result, lines)
    last = next(event.at * 1000 for event in reversed(run.events) if event.host == host)
    if result.outcome is not Outcome.INDETERMINATE and lines and lines[-1].at > last:
        yield f"did {_said(lines[-1:])} after its end"
    if result.outcome is Outcome.OK and host in run.logs:
        yield from _log(lines, lines_in(run.logs[host]), lost)


def _log(lines: Sequence[Line], kept: Sequence[Line], lost: Sequence[tuple[float, float]]) -> Iterator[str]:
    """The record's log is what the host printed, less what a power loss took of what was written to it."""
    there = {line.text for line in kept}
    missing = [line for line in lines if line.text not in there]
    # What was printed is written when more comes, half a second later at least, or when nothing does.
    lost_with_power = [
        line for line in missing if any(begin - _FLUSH_MS <= line.at <= end for begin, end in lost)
    ]
    # What a host was just printing when it restarted may be gone with it.
    ended = {(line.step, line.attempt) for line in lines if line.word == "end"}
    lost_with_host = [line for line in missing if (line.step, line.attempt) not in ended]
    expected = [line.text for line in lines if line not in (*lost_with_power, *lost_with_host)]
    if [line.text for line in kept] != expected:
        yield f"printed {_said(lines)}, and the record's log has {_said(kept)}"


def _claimed(
    run: RunEvidence, host: str, lines: Sequence[Line], lost: Sequence[tuple[float, float]]
) -> Iterator[str]:
    """Invariants 3 and 4: no effect before a claim of the host, and none before its batch."""
    if not lines or _of_a_lost_claim(lines[0], lost):
        return
    index = next(index for index, names in enumerate(run.plan.batches) if host in names)
    for what, wanted in {
        "a claim": [event for event in run.events if event.kind in CLAIMS and event.host == host],
        f"batch {index}": [
            event for event in run.events if event.kind == "batch" and event.data.startswith(f"{index} ")
        ],
    }.items():
        if not any(event.at * 1000 <= lines[0].at for event in wanted):
            yield f"did {_said(lines[:1])} before {what}"


def _of_a_lost_claim(line: Line, lost: Sequence[tuple[float, float]]) -> bool:
    return any(begin <= line.at <= end + _UNAWARE_MS for begin, end in lost)


def _steps(run: RunEvidence, result: HostResult, lines: Sequence[Line]) -> Iterator[str]:
    """Promise 2, invariants 2 and 5: nothing twice, and what is not known is said to be so."""
    assert run.plan.application is not None
    begins = Counter(line.step for line in lines if line.word == "begin")
    ends = Counter(line.step for line in lines if line.word == "end")
    for index, action in enumerate(run.plan.application.actions, start=1):
        if begins[index] > 1 and not action.idempotent:
            yield f"step {index} was begun {begins[index]} times"
        state = result.steps[index - 1].state if result.steps else StepState.PENDING
        if state is StepState.RUNNING:
            yield f"has ended, and step {index} is left running"
        if state is StepState.OK and not ends[index]:
            yield f"step {index} is ok in the record and never ended"
        unknown = result.outcome is Outcome.INDETERMINATE
        if state in {StepState.PENDING, StepState.SKIPPED} and begins[index] and not unknown:
            yield f"step {index} was begun, and is {state} of a host that is {result.outcome}"
        if result.outcome is Outcome.OK and not ends[index]:
            yield f"is ok, and step {index} has {begins[index]} begins and {ends[index]} ends"


def _batches_by_ledger(run: RunEvidence, evidence: Evidence) -> Iterator[str]:
    """Invariant 4 by the hosts' own account: no batch begins while the one before is at work."""
    latest = 0
    for index, names in enumerate(run.plan.batches):
        lines = [
            line for name in names for line in evidence.ledgers.get(name, ()) if line.run_id == run.run_id
        ]
        if not lines:
            return
        first = min(line.at for line in lines)
        if first < latest:
            yield f"batch {index} begins on a host {latest - first} ms before the one before has ended"
        latest = max(line.at for line in lines)


def _machines(evidence: Evidence) -> Iterator[str]:
    """Promise 3, invariant 1: on a host no two steps overlap, and no two runs."""
    for host, lines in evidence.ledgers.items():
        ended = {(line.run_id, line.step, line.attempt) for line in lines if line.word == "end"}
        under_way: Line | None = None
        for line in lines:
            if under_way and replace(line, word="begin", at=under_way.at) == under_way:
                under_way = None
            elif under_way and (under_way.run_id, under_way.step, under_way.attempt) in ended:
                yield f"{host}: {_said([line])} within {_said([under_way])}"
            elif line.word == "begin":
                under_way = line
        runs = [line.run_id for line in lines]
        turns = [run for position, run in enumerate(runs) if position == 0 or runs[position - 1] != run]
        if len(turns) != len(set(turns)):
            yield f"{host}: runs by turns: {', '.join(turns)}"
        yield from _tokens_across_runs(evidence, host)


def _tokens_across_runs(evidence: Evidence, host: str) -> Iterator[str]:
    claims = sorted(
        (
            (event.at, Token.parse(event.data.split(" ")[-1]))
            for run in evidence.runs
            for event in run.events
            if run.plan.kind == "deployment" and event.host == host and event.kind in CLAIMS
        ),
        key=lambda each: each[0],
    )
    tokens = [(token.epoch, token.number) for _, token in claims]
    if tokens != sorted(set(tokens)):
        yield f"{host}: claimed under {', '.join(str(token) for _, token in claims)}, in this order"


def _said(lines: Iterable[Line]) -> str:
    return json.dumps([line.text for line in lines])
