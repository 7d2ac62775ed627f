"""Folds a run's events into the steps of hosts that are under way. Pure."""

import json
from collections.abc import Iterable, Sequence

from tasks.outcomes import StepResult, StepState
from tasks.record.views import EventView


def step_results(events: Iterable[EventView], names: Sequence[str]) -> tuple[StepResult, ...]:
    """How the steps of one host stand after ``events``, which are that host's, in order.

    Args:
        events: ``steps`` events carry a JSON list of ``[index, state, exit_code, seconds]``.
        names: of all its steps; those that no event mentions are pending.
    """
    steps = [StepResult(name=name) for name in names]
    for event in events:
        if event.kind != "steps":
            continue
        for index, state, exit_code, seconds in json.loads(event.data):
            if 0 <= index < len(steps):
                steps[index] = StepResult(
                    name=steps[index].name, state=StepState(state), exit_code=exit_code, seconds=seconds
                )
    return tuple(steps)
