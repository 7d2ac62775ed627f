import io

import pytest
from rich.console import Console, RenderableType

from config.causes import Cause
from config.explanations import explain
from producer.failures import failures
from producer.progress import BatchProgress, Progress
from producer.rendering.failures import failure_report
from producer.rendering.places import hosts_table, plan_report, pools_table
from producer.rendering.progress import Lines, LiveBars, batch_detail, lines_of
from producer.rendering.runs import end_report, run_report, runs_table
from producer.wording import count, duration
from tasks.outcomes import RunState, StepResult, StepState
from tasks.record.views import PoolView, RunSummary, WorkerView
from tests.support.plans import deployment, target
from tests.support.views import event, host, run

HOSTILE = "\x1b[31m[bold]red[/bold] :smile:\r\nnext"


def _console(*, terminal: bool = False) -> Console:
    return Console(
        file=io.StringIO(), width=200, force_terminal=terminal, markup=False, emoji=False, highlight=False
    )


def _rendered(renderable: RenderableType) -> str:
    console = _console()
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined] # a StringIO


def _failed(number: int, cause: Cause = Cause.TCP_TIMEOUT, message: str = "no answer in 10 s") -> object:
    return host(f"web-{number}", "unreachable", cause=cause, message=message)


def test_four_hundred_hosts_with_one_cause_are_told_once() -> None:
    view = run(tuple(_failed(number) for number in range(400)))  # type: ignore[arg-type] # hosts
    (group,) = failures(view)
    said = _rendered(failure_report((group,)))
    assert "400 hosts unreachable: tcp_timeout" in said
    assert "web-0, web-1" in said
    assert "and 392 more" in said
    assert said.count(explain(Cause.TCP_TIMEOUT).happened) == 1
    assert len(said.splitlines()) < 10


def test_a_failure_says_what_happened_why_and_what_to_try() -> None:
    said = _rendered(failure_report(failures(run((host("web-1", "failed", cause="checksum"),)))))
    explanation = explain(Cause.CHECKSUM)
    assert explanation.happened in said
    assert explanation.why in said
    assert explanation.remedy in said


def test_groups_are_by_outcome_and_cause_with_the_largest_first_and_the_rest_last() -> None:
    hosts = [
        *(host(f"n-{number}", "not_started") for number in range(9)),
        host("a", "failed", cause="auth"),
        *(host(f"b-{number}", "unreachable", cause="dns") for number in range(3)),
        host("ok", "ok"),
    ]
    assert [(group.outcome, group.cause, len(group.hosts)) for group in failures(run(tuple(hosts)))] == [
        ("unreachable", "dns", 3),
        ("failed", "auth", 1),
        ("not_started", None, 9),
    ]


def test_a_cause_of_a_newer_version_is_shown_without_words() -> None:
    (group,) = failures(run((host("a", "failed", cause="from_the_future"),)))
    assert group.explanation is None
    assert "from_the_future" in _rendered(failure_report((group,)))


@pytest.mark.parametrize("terminal", [False, True])
def test_what_hosts_say_is_shown_as_text_and_obeyed_by_nothing(terminal: bool) -> None:
    console = _console(terminal=terminal)
    console.print(run_report(run((host("web-1", "failed", cause="auth", message=HOSTILE),))))
    said = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO
    assert "[bold]red[/bold] :smile: next" in said
    assert "\x1b[31m[bold]" not in said


def test_a_running_host_shows_its_step_and_a_failed_one_the_step_that_failed() -> None:
    steps = (
        StepResult(name="fetch", state=StepState.OK, exit_code=0, seconds=1.0),
        StepResult(name="install", state=StepState.RUNNING),
        StepResult(name="check"),
    )
    failed = (
        steps[0],
        StepResult(name="install", state=StepState.FAILED, exit_code=3, seconds=1.0),
        steps[2],
    )
    view = run(
        (host("a", phase="running", steps=steps), host("b", "failed", cause="step_failed", steps=failed)),
        state=RunState.RUNNING,
        finished=None,
    )
    said = _rendered(run_report(view))
    assert "1/3 running: install" in said
    assert "1/3 failed: install (exit 3)" in said


def test_a_run_that_waits_says_why() -> None:
    waiting = "waiting: no worker of pool official is running"
    said = _rendered(run_report(run((host("a"),), state=RunState.QUEUED, waiting=waiting, finished=None)))
    assert waiting in said


def test_batches_that_an_ended_run_never_began_are_not_started() -> None:
    view = run((host("a", "ok"),), (host("b", "not_started"),))
    batches = (view.batches[0], view.batches[1].model_copy(update={"state": "waiting"}))
    said = _rendered(run_report(view.model_copy(update={"batches": batches})))
    assert "batch 2 of 2, 1 host: not started" in said


def test_a_verification_is_a_table_with_the_time_of_every_stage() -> None:
    stages = (
        StepResult(name="dns", state=StepState.OK, seconds=0.0012),
        StepResult(name="tcp", state=StepState.FAILED, seconds=10.0),
    )
    view = run(
        (host("b", "ok", steps=stages[:1]), host("a", "unreachable", cause="tcp_timeout", steps=stages)),
        kind="verification",
        title="verification",
    )
    lines = _rendered(end_report(view)).splitlines()
    assert lines[1].split() == ["b", "official", "direct", "ok", "dns", "1"]
    assert lines[2].split() == [
        "a",
        "official",
        "direct",
        "unreachable",
        "tcp_timeout",
        "dns",
        "1,",
        "tcp",
        "10000",
    ]


def test_the_last_line_counts_the_outcomes() -> None:
    said = _rendered(
        end_report(run((host("a", "ok"), host("b", "failed", cause="auth")), reason="1 host failed"))
    )
    assert "shop 1.4 failed in 42 s: 1 host failed (1 ok, 1 failed; run 20260131-142530-9f3a)" in said


def test_runs_are_listed_one_per_line() -> None:
    summary = RunSummary(
        id="r", kind="deployment", title="shop 1.4", state=RunState.SUCCEEDED, operator="ana",
        created=1769869530.0, finished=None, hosts=3, failed=0,
    )  # fmt: skip
    line = _rendered(runs_table([summary])).splitlines()[1]
    assert line.split() == ["r", "shop", "1.4", "succeeded", "3", "0", "ana", "2026-01-31", "14:25:30", "UTC"]


def test_pools_show_slots_versions_and_what_waits() -> None:
    worker = WorkerView(name="w", pool="official", version="1.2", slots=16, busy=3, seen=0.0)
    pool = PoolView(name="official", kind="official", workers=(worker,), slots=16, busy=3, waiting=40)
    line = _rendered(pools_table([pool])).splitlines()[1]
    assert line.split() == ["official", "official", "1", "16", "3", "13", "40", "1.2"]


def test_hosts_show_where_they_are_and_when_they_were_verified() -> None:
    hosts = [target("web-1"), target("web-2", address="2001:db8::1")]
    lines = _rendered(hosts_table(hosts, {"web-1": 1769869530.0})).splitlines()
    assert "127.0.0.2:22" in lines[1]
    assert "2026-01-31 14:25:30 UTC" in lines[1]
    assert lines[2].split()[-2:] == ["[2001:db8::1]:22", "-"]
    assert "unknown" in _rendered(hosts_table(hosts, None))


def test_a_plan_shows_batches_steps_and_parameters() -> None:
    said = _rendered(plan_report(deployment(("web-1",), ("web-2", "web-3"))))
    assert "shop 1.4 to 3 hosts in 2 batches; it stops once a host failed" in said
    assert "web-2, web-3" in said
    assert "version=1.4" in said
    assert "Nothing was sent." in said


def test_a_waiting_batch_is_said_to_wait_and_a_running_one_how_it_goes() -> None:
    assert batch_detail(BatchProgress(index=2, hosts=4), 0.0) == "waiting"
    assert batch_detail(BatchProgress(index=1, hosts=4, begun=0.0, running=2), 5.0) == "2 running"
    half = BatchProgress(index=1, hosts=4, begun=0.0, done=2, failed=1, running=2)
    assert batch_detail(half, 20.0) == "1 failed, 2 running, 20 s left"
    assert batch_detail(BatchProgress(index=1, hosts=1, begun=0.0, done=1), 20.0) == ""


def _progress(*events: object, **fields: object) -> Progress:
    batches = (BatchProgress(index=1, hosts=2, begun=1.0), BatchProgress(index=2, hosts=2))
    return Progress(
        run_id="r",
        title="shop 1.4",
        state=RunState.RUNNING,
        batches=batches,
        events=events,
        **fields,  # type: ignore[arg-type] # as given
    )


def test_every_event_of_interest_is_one_plain_line() -> None:
    progress = _progress(
        event(1, "created"),
        event(2, "batch", data="0 2 batch 1 of 2: 0 hosts failed so far"),
        event(3, "host_started", "web-1", "w 1.1"),
        event(4, "host_finished", "web-1", '{"outcome": "ok", "seconds": 3.21}'),
        event(
            5, "host_finished", "web-2", '{"outcome": "failed", "cause": "auth", "message": "no\\u001b[2J"}'
        ),
        event(6, "host_taken_over", "web-3", "other 1.2"),
        event(7, "cancel", data="ana"),
    )
    assert [line.plain for line in lines_of(progress)] == [
        "shop 1.4: batch 1 of 2 begins, 2 hosts",
        "web-1 ok (3.2 s)",
        "web-2 failed: auth - no",
        "web-3 is taken over by other",
        "cancelled by ana; hosts under way are being ended",
    ]


def test_a_standstill_is_told_once_until_something_moves() -> None:
    console = _console()
    with Lines(console) as view:
        for waiting in ("waiting: x", "waiting: x", "", "waiting: x"):
            view.show(_progress(waiting=waiting))
        view.show(_progress(outage="refused"))
    said = console.file.getvalue().splitlines()  # type: ignore[attr-defined] # a StringIO
    assert said == ["waiting: x", "waiting: x", "the record can't be reached, trying again: refused"]


def test_bars_on_a_terminal_tell_failures_as_they_happen_and_only_so_many() -> None:
    console = _console(terminal=True)
    finished = '{"outcome": "failed", "cause": "auth"}'
    with LiveBars(console) as view:
        view.show(_progress(*(event(n, "host_finished", f"web-{n}", finished) for n in range(50))))
    said = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO
    assert "web-0 " in said
    assert "web-19 " in said
    assert "web-20 " not in said
    assert said.count("further failures are told at the end") == 1
    assert "batch 1/2" in said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"),
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (59.4, "59 s"),
        (60, "1:00"),
        (187, "3:07"),
        (3753, "1:02:33"),
    ],
)
def test_durations_are_short(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


def test_one_of_a_thing_has_no_plural() -> None:
    assert [count(number, "host") for number in (0, 1, 2)] == ["0 hosts", "1 host", "2 hosts"]
