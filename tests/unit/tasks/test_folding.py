import json

from tasks.outcomes import StepState
from tasks.record.folding import step_results
from tests.support.views import event


def _steps(*moved: tuple[int, str, int | None, float | None]) -> str:
    return json.dumps([list(each) for each in moved])


def test_the_newest_word_on_a_step_counts() -> None:
    events = [
        event(1, "host_started", "a"),
        event(2, "steps", "a", _steps((0, "running", None, None))),
        event(3, "steps", "a", _steps((0, "ok", 0, 1.5), (1, "running", None, None))),
    ]
    steps = step_results(events, ["fetch", "install", "check"])
    assert [(step.name, step.state, step.exit_code, step.seconds) for step in steps] == [
        ("fetch", StepState.OK, 0, 1.5),
        ("install", StepState.RUNNING, None, None),
        ("check", StepState.PENDING, None, None),
    ]


def test_a_step_that_the_plan_does_not_have_is_passed_over() -> None:
    assert [
        step.state for step in step_results([event(1, "steps", "a", _steps((7, "ok", 0, 1.0)))], ["one"])
    ] == [StepState.PENDING]
