"""The witness is no use if it sees nothing: each promise is broken in what a run left that kept them."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tasks.outcomes import Outcome, StepState
from tests.chaos.scene import Rollout, Scene
from tests.support.ledgers import Line
from tests.support.promises import Evidence, RunEvidence, check, collect

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def kept(shared_scene: Scene) -> Evidence:
    scene = shared_scene
    runs = [scene.deploy(Rollout(hosts=2, steps=(0.05, 0.05), batches=(1,))) for _ in range(2)]
    assert scene.settle()
    evidence = collect(scene.site.reader, [run.id for run in runs], scene.read_ledgers())
    scene.submitted.clear()
    return evidence


def test_a_run_that_nothing_happened_to_keeps_them_all(kept: Evidence) -> None:
    assert check(kept) == []
    assert len(kept.ledgers["web-1"]) == 8


def _run(evidence: Evidence, **changes: Any) -> Evidence:
    first, *others = evidence.runs
    return replace(evidence, runs=[replace(first, **changes), *others])


def _events(evidence: Evidence, change: Callable[[list[Any]], list[Any]]) -> Evidence:
    return _run(evidence, events=change(list(evidence.runs[0].events)))


def _ledger(evidence: Evidence, change: Callable[[list[Line]], list[Line]]) -> Evidence:
    return replace(evidence, ledgers={**evidence.ledgers, "web-1": change(list(evidence.ledgers["web-1"]))})


def _result(evidence: Evidence, step: int, state: StepState, outcome: Outcome) -> Evidence:
    run = evidence.runs[0]
    result = run.results["web-1"]
    steps = list(result.steps)
    steps[step - 1] = steps[step - 1].model_copy(update={"state": state})
    changed = result.model_copy(update={"steps": tuple(steps), "outcome": outcome})
    return _run(evidence, results={**run.results, "web-1": changed})


def _place(run: RunEvidence, kind: str, host: str = "") -> int:
    return next(
        at for at, event in enumerate(run.events) if event.kind == kind and (not host or event.host == host)
    )


def _moved(evidence: Evidence, kind: str, host: str, to: int) -> Evidence:
    def change(events: list[Any]) -> list[Any]:
        event = events.pop(_place(evidence.runs[0], kind, host))
        return [*events[:to], event, *events[to:]]

    return _events(evidence, change)


def _twice(events: list[Any], kind: str) -> list[Any]:
    return [each for event in events for each in ([event] * 2 if event.kind == kind else [event])]


def _cancel(evidence: Evidence) -> Evidence:
    cancel = evidence.runs[0].events[0].model_copy(update={"kind": "cancel", "data": "ana"})
    return _events(evidence, lambda events: [events[0], cancel, *events[1:]])


BREACHES: dict[str, tuple[Callable[[Evidence], Evidence], str]] = {
    "a step twice": (
        lambda it: _ledger(it, lambda lines: [*lines[:2], *lines[:2], *lines[2:]]),
        "was begun 2 times",
    ),
    "two steps at once": (
        lambda it: _ledger(it, lambda lines: [lines[0], lines[2], lines[1], *lines[3:]]),
        "within",
    ),
    "two runs by turns": (
        lambda it: _ledger(it, lambda lines: [*lines[:2], *lines[4:6], *lines[2:4], *lines[6:]]),
        "runs by turns",
    ),
    "an effect without a claim": (
        lambda it: _events(it, lambda events: [each for each in events if each.kind != "host_started"]),
        "before a claim",
    ),
    "an effect before its batch": (
        lambda it: _ledger(it, lambda lines: [replace(lines[0], at=lines[0].at - 9000), *lines[1:]]),
        "before batch 0",
    ),
    "an effect after the end": (
        lambda it: _ledger(
            it, lambda lines: [*lines[:3], replace(lines[3], at=lines[3].at + 9000), *lines[4:]]
        ),
        "after its end",
    ),
    "a batch before its gate": (lambda it: _moved(it, "host_finished", "web-1", -1), "where the gate says"),
    "a batch on hosts before the one before": (
        lambda it: _ledger(
            it, lambda lines: [*lines[:3], replace(lines[3], at=lines[3].at + 9000), *lines[4:]]
        ),
        "before the one before has ended",
    ),
    "an end without a gate": (
        lambda it: _events(
            it,
            lambda events: [
                each.model_copy(update={"data": "failed 1 host"}) if each.kind == "finished" else each
                for each in events
            ],
        ),
        "it ends as failed",
    ),
    "a host started twice": (
        lambda it: _events(it, lambda each: _twice(each, "host_started")),
        "started twice",
    ),
    "a host finished twice": (
        lambda it: _events(it, lambda each: _twice(each, "host_finished")),
        "has ended, and then comes host_finished",
    ),
    "a start after a cancel": (_cancel, "cancelled, and then comes"),
    "ok, and never done": (lambda it: _ledger(it, lambda lines: lines[:3] + lines[4:]), "never ended"),
    "begun, and pending": (
        lambda it: _result(it, 2, StepState.PENDING, Outcome.FAILED),
        "was begun, and is pending",
    ),
    "left running": (lambda it: _result(it, 2, StepState.RUNNING, Outcome.OK), "left running"),
    "a lease of a run that is over": (
        lambda it: replace(it, leases={"lease:x": it.runs[0].run_id}),
        "and holds lease:x",
    ),
    "stuck": (
        lambda it: _run(
            it, fields={**it.runs[0].fields, "state": "running"}, explanation="The run is moving."
        ),
        "stuck",
    ),
    "another record than its events": (
        lambda it: _result(it, 1, StepState.OK, Outcome.INDETERMINATE),
        "its events give",
    ),
    "a log with a hole": (
        lambda it: _run(it, logs={"web-1": it.runs[0].logs["web-1"][80:]}),
        "and the record's log has",
    ),
    "not started, and done": (
        lambda it: _run(it, results={"web-2": it.runs[0].results["web-2"]}),
        "was not started by the record",
    ),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_broken_promise_is_told(kept: Evidence, breach: str) -> None:
    change, said = BREACHES[breach]

    told = check(change(kept))

    assert any(said in each for each in told), json.dumps(told, indent=1)


def test_tokens_that_fall_are_told(kept: Evidence) -> None:
    first, second = kept.runs
    swapped = replace(first, events=[each.model_copy(update={"at": each.at + 900}) for each in first.events])

    assert any("in this order" in each for each in check(replace(kept, runs=[swapped, second])))
