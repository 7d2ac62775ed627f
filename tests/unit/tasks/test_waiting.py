import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.outcomes import RunState
from tasks.record.views import WorkerView
from tasks.waiting import Circumstances, HostStanding, abbreviated, explanation
from tasks.waiting import waiting_for as why


def _host(name: str, pool: str = "official", phase: str = "sent") -> HostStanding:
    return HostStanding(name=name, pool=pool, phase=phase)  # type: ignore[arg-type] # one of the phases


def _worker(pool: str = "official", slots: int = 16, busy: int = 0) -> WorkerView:
    return WorkerView(name="w", pool=pool, version="1", slots=slots, busy=busy, seen=0.0)


def _run(state: RunState = RunState.RUNNING, **what: object) -> Circumstances:
    return Circumstances(**{"state": state, "hosts": (), "workers": (_worker(),), **what})  # type: ignore[arg-type] # by name


def waiting_for(**what: object) -> str:
    return why(_run(**what))  # type: ignore[arg-type] # by name


def test_a_pool_without_workers_is_named() -> None:
    said = waiting_for(state=RunState.QUEUED, hosts=[_host("a", "frankfurt", "waiting")], workers=[])
    assert said == "waiting: no worker of pool frankfurt is running"


def test_every_pool_without_workers_is_named_once() -> None:
    hosts = [_host("a", "one"), _host("b", "two"), _host("c", "one"), _host("d")]
    said = waiting_for(state=RunState.RUNNING, hosts=hosts, workers=[_worker()])
    assert said == "waiting: no worker of pool one is running; no worker of pool two is running"


def test_a_host_under_way_whose_workers_are_all_gone_waits_too() -> None:
    hosts = [_host("a", phase="running")]
    assert "no worker of pool official" in waiting_for(state=RunState.RUNNING, hosts=hosts, workers=[])


def test_a_busy_pool_says_how_busy() -> None:
    workers = [_worker(slots=16, busy=16), _worker(slots=8, busy=8), _worker("other", slots=4, busy=0)]
    said = waiting_for(state=RunState.RUNNING, hosts=[_host("a")], workers=workers)
    assert said == "waiting: pool official is busy, 24 of 24 slots taken"


def test_a_pool_that_is_busy_with_this_very_run_is_not_waited_for() -> None:
    hosts = [_host("a"), _host("b", phase="running")]
    assert waiting_for(state=RunState.RUNNING, hosts=hosts, workers=[_worker(slots=1, busy=1)]) == ""


def test_a_host_that_another_run_has_is_named_with_that_run() -> None:
    hosts = [_host(f"web-{number}") for number in range(6)]
    said = waiting_for(
        state=RunState.RUNNING,
        hosts=hosts,
        workers=[_worker()],
        behind={host.name: "20260131-142530-9f3a" for host in hosts},
    )
    assert said == "waiting: run 20260131-142530-9f3a comes first for web-0, web-1, web-2 and 3 more"


def test_a_run_waits_for_its_verification_before_anything_else() -> None:
    said = waiting_for(state=RunState.QUEUED, hosts=[_host("a")], workers=[], verification="v")
    assert said == "waiting: its verification, run v, hasn't ended"


def test_a_queued_run_that_nothing_holds_up_says_that_it_is_on_its_way() -> None:
    said = waiting_for(state=RunState.QUEUED, hosts=[_host("a", phase="waiting")], workers=[_worker()])
    assert said == "waiting: its message is on the way to pool official"


@pytest.mark.parametrize("state", [state for state in RunState if state.ended])
def test_a_run_that_has_ended_waits_for_nothing(state: RunState) -> None:
    assert waiting_for(state=state, hosts=[_host("a")], workers=[], verification="v") == ""


def test_a_paused_run_says_by_whom_and_what_still_finishes() -> None:
    hosts = [_host("a", phase="running"), _host("b")]
    said = waiting_for(state=RunState.PAUSED, hosts=hosts, paused_by="ana")
    assert said == "waiting: paused by ana; a still under way"


def test_an_unknown_end_waits_for_a_person() -> None:
    said = waiting_for(state=RunState.NEEDS_ATTENTION, unknown=["web-1"])
    assert said.startswith(
        "waiting for a person: how web-1 ended is not known; look, and then `longshore resolve"
    )


def test_a_proxy_that_is_down_and_hosts_out_of_reach_are_named() -> None:
    said = waiting_for(
        hosts=[_host("a"), _host("b", phase="running")],
        down={"bastion": "since 12:00:00 UTC (proxy_tcp_refused)"},
        out_of_reach={"b": "connection_lost"},
    )
    assert said == (
        "waiting: proxy bastion is down since 12:00:00 UTC (proxy_tcp_refused); "
        "b can't be reached, and what was begun there may go on (connection_lost)"
    )


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (_run(hosts=[_host("a", phase="running")]), "The run is moving: a is under way."),
        (
            _run(hosts=[_host("a", phase="running"), _host("b", phase="running")], cancelled_by="ana"),
            "The run is moving: a, b are being ended, cancelled by ana.",
        ),
        (_run(hosts=[_host("a")]), "The run is moving: a is about to be taken by a worker."),
        (_run(), "The run is moving: its gate is about to decide what comes next."),
        (_run(RunState.SUCCEEDED), "The run is over: succeeded: all well."),
        (_run(RunState.PAUSED, paused_by="ana"), "The run is waiting: paused by ana."),
    ],
)
def test_an_explanation_is_there_whatever_the_run_does(run: Circumstances, said: str) -> None:
    assert explanation(run, reason="all well") == said


def test_an_explanation_tells_of_messages_that_were_sent_again() -> None:
    said = explanation(_run(), reason="", sent_again="12:00:00 UTC")
    assert said.endswith("Its messages were sent again at 12:00:00 UTC.")


def test_hosts_that_are_done_wait_for_nothing() -> None:
    assert waiting_for(state=RunState.RUNNING, hosts=[_host("a", phase="done")], workers=[]) == ""


@given(st.lists(st.text(min_size=1), max_size=30, unique=True), st.integers(1, 10))
def test_abbreviated_names_account_for_every_name(names: list[str], shown: int) -> None:
    said = abbreviated(names, shown)
    if len(names) <= shown + 1:
        assert said == ", ".join(names)
    else:
        assert said == f"{', '.join(names[:shown])} and {len(names) - shown} more"
