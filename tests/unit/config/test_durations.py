"""Durations: what is taken, and that they come out of a record as they went in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.application import Action
from config.values import LONGEST_SECONDS, SHORTEST_SECONDS


@given(st.floats(SHORTEST_SECONDS, LONGEST_SECONDS))
def test_a_duration_survives_its_way_through_the_record(seconds: float) -> None:
    action = Action(run="true", timeout=seconds)
    assert Action.model_validate_json(action.model_dump_json()) == action


@pytest.mark.parametrize("text", ["1ms", "366d", "0.05h", "10", "2.5 ".strip()])
def test_texts_survive_it_too(text: str) -> None:
    action = Action.model_validate({"run": "true", "timeout": text})
    assert Action.model_validate_json(action.model_dump_json()) == action


@pytest.mark.parametrize(
    "given_", ["0", 0, -1, "0.05ms", "367d", "9" * 30 + "d", "9" * 400, 10**400, float("inf"), float("nan")]
)
def test_what_no_host_could_keep_is_refused(given_: object) -> None:
    with pytest.raises(ValidationError):
        Action.model_validate({"run": "true", "timeout": given_})
