from hypothesis import given
from hypothesis import strategies as st

from tasks.outcomes import RunState
from tasks.record.views import WorkerView
from tasks.waiting import Circumstances, HostStanding, explanation, waiting_for

NAMES = [f"web-{number}" for number in range(1, 7)]
names = st.sampled_from(NAMES)
people = st.none() | st.just("ana")

circumstances = st.builds(
    Circumstances,
    state=st.sampled_from(RunState),
    hosts=st.lists(
        st.builds(
            HostStanding,
            name=names,
            pool=st.sampled_from(["official", "frankfurt"]),
            phase=st.sampled_from(["waiting", "sent", "running", "done"]),
        ),
        unique_by=lambda host: host.name,
    ),
    workers=st.lists(
        st.builds(
            WorkerView,
            name=st.just("w"),
            pool=st.sampled_from(["official", "frankfurt"]),
            version=st.just("1"),
            slots=st.integers(0, 4),
            busy=st.integers(0, 4),
            seen=st.just(0.0),
        )
    ),
    behind=st.dictionaries(names, st.sampled_from(["r1", "r2"])),
    verification=st.none() | st.just("v"),
    paused_by=people,
    cancelled_by=people,
    down=st.dictionaries(st.just("bastion"), st.just("since 10:00:00 UTC (proxy_tcp_refused)")),
    out_of_reach=st.dictionaries(names, st.just("tcp_timeout")),
    unknown=st.lists(names, unique=True),
)


@given(circumstances, st.sampled_from(["", "none may fail"]), st.sampled_from(["", "10:00:00 UTC"]))
def test_every_run_has_an_explanation_in_a_sentence(run: Circumstances, reason: str, again: str) -> None:
    said = explanation(run, reason=reason, sent_again=again)

    assert said.startswith("The run is ")
    assert said.endswith(".")
    assert "  " not in said
    assert ": ." not in said


@given(circumstances)
def test_what_a_run_waits_for_is_said_in_both_places_alike(run: Circumstances) -> None:
    waiting = waiting_for(run)

    assert waiting == "" or waiting.startswith("waiting")
    assert waiting in explanation(run, reason="")


@given(circumstances)
def test_a_run_that_is_over_waits_for_nothing_but_a_person(run: Circumstances) -> None:
    if run.state.ended:
        attention = run.state is RunState.NEEDS_ATTENTION and bool(run.unknown)
        assert waiting_for(run).startswith("waiting for a person") == attention


@given(circumstances)
def test_a_paused_run_says_so(run: Circumstances) -> None:
    if run.state is RunState.PAUSED:
        assert f"paused by {run.paused_by}" in explanation(run, reason="")
