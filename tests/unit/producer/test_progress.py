import json

from hypothesis import given
from hypothesis import strategies as st

from producer.progress import BatchProgress, Progress, ProgressFold
from tasks.outcomes import RunState
from tasks.record.views import EventView
from tests.support.plans import deployment
from tests.support.views import event

NAMES = [f"web-{number}" for number in range(1, 6)]
PLAN = deployment(tuple(NAMES[:2]), tuple(NAMES[2:]))


def _finished(number: int, name: str, outcome: str = "ok") -> EventView:
    return event(number, "host_finished", name, json.dumps({"outcome": outcome}))


STORY = [
    event(1, "created"),
    event(2, "batch", data="0 2 batch 1 of 2", at=100.0),
    event(3, "host_started", "web-1", "w 1.1"),
    event(4, "host_started", "web-2", "w 1.2"),
    _finished(5, "web-1"),
    event(6, "host_taken_over", "web-2", "w2 1.3"),
    _finished(7, "web-2", "failed"),
    event(8, "batch", data="1 3 batch 2 of 2", at=110.0),
    event(9, "host_started", "web-3", "w 1.4"),
    _finished(10, "web-3"),
    _finished(11, "web-4", "unreachable"),
    event(12, "finished", data="failed 2 hosts failed"),
]


def _after(events: list[EventView]) -> Progress:
    fold = ProgressFold("r", PLAN)
    fold.take(events)
    return fold.progress(now=120.0)


def test_a_batch_counts_its_hosts_by_how_far_they_are() -> None:
    first, second = _after(STORY[:5]).batches
    assert (first.done, first.failed, first.running, first.begun) == (1, 0, 1, 100.0)
    assert (second.done, second.running, second.begun) == (0, 0, None)


def test_a_run_ends_with_its_last_event() -> None:
    progress = _after(STORY)
    assert (progress.state, progress.reason) == (RunState.FAILED, "2 hosts failed")
    assert (progress.done, progress.failed, progress.hosts) == (4, 2, 5)


def test_a_host_that_was_taken_over_runs_once() -> None:
    assert _after(STORY[:6]).batches[0].running == 1


@given(st.integers(0, len(STORY)), st.lists(st.integers(0, len(STORY) - 1), max_size=8))
def test_events_that_come_twice_change_nothing(cut: int, again: list[int]) -> None:
    """Whatever part is told again, as after an outage, the counts stay right."""
    fold = ProgressFold("r", PLAN)
    fold.take(STORY[:cut])
    fold.take([STORY[index] for index in sorted(again) if index < cut])
    assert fold.progress(now=0.0).batches == _after(STORY[:cut]).batches


def test_nothing_is_said_of_the_time_left_before_a_host_is_done() -> None:
    assert BatchProgress(index=1, hosts=4).seconds_left(0.0) is None
    assert BatchProgress(index=1, hosts=4, begun=100.0, running=2).seconds_left(130.0) is None


def test_the_time_left_follows_from_the_hosts_done_so_far() -> None:
    batch = BatchProgress(index=1, hosts=4, begun=100.0, done=1)
    assert batch.seconds_left(110.0) == 30.0
    assert BatchProgress(index=1, hosts=4, begun=100.0, done=4).seconds_left(110.0) == 0.0
