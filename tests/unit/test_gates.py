from hypothesis import given
from hypothesis import strategies as st

from tasks.gates import Begin, End, Tally, Wait, decide
from tasks.outcomes import Outcome, RunState

tallies = st.builds(
    Tally,
    state=st.sampled_from(RunState),
    batch=st.integers(-1, 5),
    batches=st.just(6),
    left=st.integers(0, 3),
    outcomes=st.dictionaries(st.sampled_from(Outcome), st.integers(0, 5)),
    limit=st.integers(0, 5),
    cancelled_by=st.sampled_from([None, "ana"]),
)


def _tally(**changes: object) -> Tally:
    values: dict[str, object] = {
        "state": RunState.RUNNING,
        "batch": 0,
        "batches": 3,
        "left": 0,
        "outcomes": {},
        "limit": 0,
    }
    return Tally(**(values | changes))


def test_a_new_run_begins_its_first_batch() -> None:
    decision = decide(_tally(state=RunState.QUEUED, batch=-1))

    assert decision == Begin(batch=0, reason="batch 1 of 3: 0 hosts failed so far")


def test_one_failure_more_than_allowed_ends_the_run() -> None:
    allowed = decide(_tally(outcomes={Outcome.OK: 1, Outcome.UNREACHABLE: 1, Outcome.TIMED_OUT: 1}, limit=2))
    too_many = decide(_tally(outcomes={Outcome.UNREACHABLE: 2, Outcome.TIMED_OUT: 1}, limit=2))

    assert isinstance(allowed, Begin)
    assert too_many == End(
        state=RunState.FAILED, reason="3 hosts failed, more than the 2 that max_failed allows"
    )


def test_an_unknown_end_waits_for_a_person_whatever_may_fail() -> None:
    decision = decide(_tally(outcomes={Outcome.INDETERMINATE: 1}, limit=5, cancelled_by="ana"))

    assert isinstance(decision, End)
    assert decision.state is RunState.NEEDS_ATTENTION


def test_the_last_batch_ends_the_run_well() -> None:
    assert decide(_tally(batch=2, outcomes={Outcome.OK: 9})) == End(
        state=RunState.SUCCEEDED, reason="every host ended ok"
    )


@given(tallies)
def test_nothing_is_decided_while_a_host_of_the_batch_is_open_or_the_run_is_over(tally: Tally) -> None:
    if tally.left or tally.state not in {RunState.QUEUED, RunState.RUNNING}:
        assert decide(tally) == Wait()


@given(tallies)
def test_a_batch_begins_only_in_order_and_within_the_limit(tally: Tally) -> None:
    decision = decide(tally)

    if isinstance(decision, Begin):
        assert decision.batch == tally.batch + 1 < tally.batches
        assert tally.failed <= tally.limit
        assert tally.cancelled_by is None
        assert not tally.outcomes.get(Outcome.INDETERMINATE)
