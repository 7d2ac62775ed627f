"""Cancel and timeouts: what is ended, how, and that it is confirmed."""

from pathlib import Path

from config.causes import Cause
from tasks.hostscript import driver
from tasks.hostscript.control import Finished, Status, StepEnded, StepStarted, Stopped
from tasks.outcomes import Outcome
from tests.support.hostscript import (
    Host,
    all_processes,
    folded,
    is_alive,
    kill_process,
    runner_pid,
    steps,
    wait_until,
)

STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.1; done"


def members(host: Host, session: int) -> list[int]:
    """What runs in a session, beside the follower of the connection and its tail."""
    follower = (host.directory / "f.1").read_text().split()[0]
    found = []
    for pid in all_processes():
        try:
            state, parent, _group, of = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[:4]
        except OSError:
            continue
        if of == str(session) and state != "Z" and follower not in {parent, str(pid)}:
            found.append(pid)
    return found


def test_cancel_ends_the_work_and_confirms_it(host: Host) -> None:
    declared = steps("echo one", "echo up; sleep 303", "echo three >ledger")
    followed = host.run(declared)
    followed.wait_for(lambda _event: followed.output == b"one\nup")
    session = runner_pid(host)
    asked = host.holding(6).ask(driver.stop(host.holding(6).where))
    assert asked.only == Stopped(result="gone")
    assert members(host, session) == []
    followed.finish()
    result = folded(declared, followed).result()
    assert (result.outcome, result.cause) == (Outcome.CANCELLED, Cause.CANCELLED)
    assert [step.state.value for step in result.steps] == ["ok", "cancelled", "pending"]
    assert not (host.home / "ledger").exists()
    assert host.ask(driver.stop(host.holding(6).where)).only == Stopped(result="finished")


def test_a_step_that_ignores_term_is_killed_after_the_grace(host: Host) -> None:
    followed = host.run(steps(STUBBORN))
    followed.wait_for(lambda _event: followed.output == b"up")
    session = runner_pid(host)
    assert host.ask(driver.stop(host.where, grace=1)).only == Stopped(result="gone")
    assert members(host, session) == []


def test_a_step_gets_its_grace(host: Host) -> None:
    followed = host.run(
        steps("trap 'echo cleaned >ledger; exit 1' TERM; echo up; while :; do sleep 0.05; done")
    )
    followed.wait_for(lambda _event: followed.output == b"up")
    assert host.ask(driver.stop(host.where, grace=20)).only == Stopped(result="gone")
    assert (host.home / "ledger").read_text() == "cleaned\n"


def test_a_run_that_never_began_is_cancelled_for_good(host: Host) -> None:
    assert host.ask(driver.stop(host.where)).only == Stopped(result="never")
    declared = steps("echo ran >ledger")
    later = host.holding(6).run(declared)
    assert later.finish() == 0
    assert later.only == Status(state="cancelled", size=0)
    assert folded(declared, later).result().outcome is Outcome.CANCELLED
    assert not (host.home / "ledger").exists()
    assert host.ask(driver.stop(host.holding(6).where)).only == Stopped(result="never")


def test_a_finished_run_says_so(host: Host) -> None:
    host.run(steps("echo one")).finish()
    assert host.ask(driver.stop(host.where)).only == Stopped(result="finished")
    assert host.log.count(b" finish ") == 1


def test_cancel_ends_what_a_killed_runner_left(host: Host) -> None:
    followed = host.run(steps(STUBBORN))
    followed.wait_for(lambda _event: followed.output == b"up")
    session = runner_pid(host)
    kill_process(session)
    assert host.ask(driver.stop(host.where, grace=1)).only == Stopped(result="gone")
    assert members(host, session) == []
    followed.wait_for(Finished)


def test_cancel_beside_the_start_either_ends_it_or_keeps_it_from_beginning(host: Host) -> None:
    for number in range(10):
        run = host.of_run(f"run-{number}")
        starting = run.run(steps("echo up; sleep 304"))
        asked = run.ask(driver.stop(run.where, grace=0))
        assert asked.only.result in {"gone", "never"}
        starting.end_input()
        starting.process.wait(30)
        wait_until(lambda: not host.processes(), "what was started to be gone")


def test_a_step_past_its_time_is_ended_and_the_rest_does_not_begin(host: Host) -> None:
    declared = steps("echo one", {"run": "echo up; sleep 305", "timeout": "1s"}, "echo three")
    driven = host.run(declared)
    assert driven.finish() == 0
    result = folded(declared, driven).result()
    assert (result.outcome, result.cause) == (Outcome.TIMED_OUT, Cause.STEP_TIMEOUT)
    assert [step.state.value for step in result.steps] == ["ok", "timed_out", "pending"]
    assert driven.of(StepEnded)[1].exit_code == 124
    wait_until(lambda: not host.processes(), "the step's processes to be gone")


def test_a_step_past_its_time_that_ignores_term_is_killed_and_keep_going_goes_on(host: Host) -> None:
    declared = steps(
        {"run": STUBBORN, "timeout": "1s", "keep_going": True},
        {"run": "sleep 306", "timeout": "1s", "keep_going": True},
        "echo three",
    )
    script = host.script(declared, grace=1)
    driven = host.start(driver.run(host.where, script, host.environment()))
    assert driven.finish() == 0
    assert [step.state.value for step in folded(declared, driven).steps] == ["timed_out", "timed_out", "ok"]
    assert driven.output.endswith(b"three\n")
    assert b"cannot" not in driven.output
    assert b"File exists" not in driven.output


def test_times_are_kept_with_no_worker_connected(host: Host) -> None:
    driven = host.run(steps({"run": "sleep 307", "timeout": "1s"}))
    driven.wait_for(StepStarted)
    driven.cut()
    finish = host.directory / "finish"
    # The shell makes the file a moment before it writes to it.
    wait_until(lambda: finish.exists() and finish.read_text(), "the watchdog")
    assert finish.read_text() == "124\n"


def test_a_timeout_leaves_the_daemon_of_an_earlier_step_alone(host: Host) -> None:
    declared = steps(
        "sleep 308 >/dev/null 2>&1 & echo $! >pid; sleep 0.1", {"run": "sleep 309", "timeout": "1s"}
    )
    driven = host.run(declared)
    assert driven.finish() == 0
    assert driven.of(StepEnded)[-1].timed_out
    assert is_alive(int((host.home / "pid").read_text()))


def test_a_short_limit_of_a_later_step_is_kept_after_a_long_one(host: Host) -> None:
    declared = steps("sleep 1.3", {"run": "sleep 310", "timeout": "2s"})
    driven = host.run(declared)
    assert driven.finish() == 0
    ended = driven.of(StepEnded)[1]
    assert ended.timed_out
    assert 1.9 <= ended.uptime - driven.of(StepStarted)[1].uptime < 30
