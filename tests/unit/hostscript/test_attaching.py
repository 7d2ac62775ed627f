"""Connections and runners that die, and drivers that come after them."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from config.causes import Cause
from tasks.hostscript import driver
from tasks.hostscript.control import Busy, Finished, Refused, RunnerLost, Status, StepEnded, StepStarted
from tasks.outcomes import Outcome, StepState
from tests.support.hostscript import (
    Host,
    command_lines_of,
    folded,
    is_alive,
    kill_group,
    kill_process,
    names,
    runner_pid,
    steps,
    wait_until,
)

GATED = (
    "echo one >>ledger; printf 'first '",
    "echo two >>ledger; printf begun; until [ -e gate ]; do sleep 0.05; done; printf ' done'",
    "echo three >>ledger; echo; echo third",
)
WHOLE = b"first begun done\nthird\n"


def open_gate(host: Host) -> None:
    (host.home / "gate").touch()


def ledger(host: Host) -> str:
    return (host.home / "ledger").read_text()


def test_work_goes_on_without_its_driver_and_is_followed_from_the_byte_that_was_had(host: Host) -> None:
    declared = steps(*GATED)
    first = host.run(declared)
    first.wait_for(lambda _event: first.output == b"first begun")
    first.cut()
    second = host.holding(6).start(
        driver.attach(host.where, offset=first.parser.offset), offset=first.parser.offset
    )
    second.wait_for(Status)
    open_gate(host)
    assert second.finish() == 0
    assert second.of(Status)[0].state == "running"
    assert first.output + second.output == WHOLE
    assert ledger(host) == "one\ntwo\nthree\n"
    result = folded(declared, first, second).result()
    assert result.outcome is Outcome.OK
    assert [step.state for step in result.steps] == [StepState.OK] * 3


def test_a_worker_that_never_comes_back_loses_nothing(host: Host) -> None:
    declared = steps(*GATED)
    first = host.run(declared)
    first.wait_for(StepStarted)
    first.cut()
    open_gate(host)
    wait_until((host.directory / "finish").exists, "the run to finish alone")
    again = host.run(declared)
    assert again.finish() == 0
    assert again.output == WHOLE
    assert ledger(host) == "one\ntwo\nthree\n"


def test_end_of_input_ends_the_driver_and_leaves_no_follower(host: Host) -> None:
    first = host.run(steps(*GATED))
    first.wait_for(lambda event: isinstance(event, StepStarted) and event.index == 2)
    first.end_input()
    follower = int((host.directory / "f.1").read_text().split()[0])
    wait_until(lambda: not is_alive(follower), "the follower to end")
    wait_until(lambda: b"tail" not in command_lines_of(host), "its tail to end")
    assert is_alive(runner_pid(host))
    open_gate(host)
    assert first.process.wait(30) == 0


def test_every_offset_gives_the_rest_of_the_log(dash_host: Host) -> None:
    dash_host.run(steps("printf abc", "echo def")).finish()
    wait_until(lambda: not dash_host.processes(), "the runner to end")
    log = dash_host.log
    for offset in range(len(log) + 1):
        part = dash_host.ask(driver.attach(dash_host.where, offset=offset))
        status, rest = (
            part.raw[: len(part.raw) - len(log) + offset],
            part.raw[len(part.raw) - len(log) + offset :],
        )
        assert rest == log[offset:]
        assert status.endswith(b"status finished %d \n" % len(log))


def test_a_stale_token_is_refused_and_touches_nothing(host: Host) -> None:
    declared = steps("echo ran >>ledger")
    host.holding(7).run(declared).finish()
    before = names(host.directory)
    for number, epoch in ((6, 1), (9, 0)):
        stale = host.holding(number, epoch)
        script = stale.script(declared)
        for invocation in (
            driver.run(stale.where, script, stale.environment()),
            driver.attach(stale.where),
            driver.resume(stale.where, script, stale.environment(), first_step=1),
            driver.stop(stale.where),
            driver.put(stale.where, "1.file", size=0, sha256="0" * 64),
        ):
            refused = stale.ask(invocation)
            assert isinstance(refused.only, Refused)
            assert (refused.only.epoch, refused.only.number) > (epoch, number)
            assert refused.process.wait() == driver.EXIT_REFUSED
    after = [name for name in names(host.directory) if name not in ("token.1.6", "token.0.9")]
    assert after == before
    assert ledger(host) == "ran\n"


def test_a_higher_epoch_outranks_any_number(host: Host) -> None:
    declared = steps("true")
    host.holding(900, epoch=1).run(declared).finish()
    assert host.holding(1, epoch=2).run(declared).finish() == 0
    assert host.holding(901, epoch=1).ask(driver.attach(host.holding(901).where)).of(Refused)


def test_drivers_at_once_begin_the_work_once(host: Host) -> None:
    declared = steps("echo ran >>ledger", "echo again >>ledger")
    for number in range(4):
        run = host.of_run(f"run-{number}")
        with ThreadPoolExecutor(4) as pool:
            driven = list(pool.map(lambda _: run.run(declared), range(4)))  # noqa: B023 - used within the round
        for one in driven:
            one.wait_for(Finished)
            one.end_input()
            one.process.wait(30)
        assert all(len(one.of(StepStarted)) == 2 for one in driven)
        assert ledger(host) == "ran\nagain\n" * (number + 1)


def test_two_runs_at_once_do_not_overlap(host: Host) -> None:
    declared = steps("mkdir running || echo overlap >>ledger; sleep 0.1; rmdir running; echo ran >>ledger")
    for number in range(4):
        one, two = host.of_run(f"run-a{number}"), host.of_run(f"run-b{number}")
        with ThreadPoolExecutor(2) as pool:
            driven = list(pool.map(lambda run: run.run(declared), (one, two)))
        ended = [each.wait_for(lambda event: isinstance(event, Finished | Busy)) for each in driven]
        for each in driven:
            each.end_input()
            each.process.wait(30)
        assert any(isinstance(event, Finished) for event in ended)
        wait_until(lambda: not host.processes(), "both runs to end")
    assert "overlap" not in ledger(host)


def test_another_run_under_way_is_busy_by_name_and_can_run_later(host: Host) -> None:
    first = host.run(steps(*GATED))
    first.wait_for(StepStarted)
    declared = steps("echo other")
    other = host.of_run("run-2")
    busy = other.ask(driver.run(other.where, other.script(declared), other.environment()))
    assert busy.only == Busy(run_id="run-1")
    assert busy.process.wait() == driver.EXIT_BUSY
    assert folded(declared, busy).result().cause is Cause.BUSY
    open_gate(host)
    first.finish()
    later = other.run(declared)
    assert later.finish() == 0
    assert later.output == b"other\n"


def test_a_run_takes_over_from_one_whose_runner_was_killed(host: Host) -> None:
    first = host.run(steps(*GATED))
    first.wait_for(StepStarted)
    kill_group(runner_pid(host))
    first.end_input()
    first.process.wait(30)
    other = host.of_run("run-2").run(steps("echo other"))
    assert other.finish() == 0
    assert other.output == b"other\n"


def test_many_runs_leave_few_guard_files(dash_host: Host) -> None:
    for number in range(45):
        dash_host.of_run(f"run-{number}").run(steps("true")).finish()
    assert len(list((dash_host.home / ".longshore").glob("active.*"))) < 42


def kill_in_step_two(host: Host, *, idempotent: bool) -> tuple[object, object]:
    declared = steps(GATED[0], {"run": GATED[1], "idempotent": idempotent}, GATED[2])
    first = host.run(declared)
    first.wait_for(lambda _event: first.output == b"first begun")
    kill_group(runner_pid(host))
    first.end_input()
    first.process.wait(30)
    return declared, first


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_step_whose_end_is_unknown_runs_again_only_if_idempotent(host: Host, *, idempotent: bool) -> None:
    declared, _ = kill_in_step_two(host, idempotent=idempotent)
    asked = host.ask(driver.attach(host.where))
    assert asked.of(Status)[0].state == "gone"
    assert asked.of(Status)[0].detail == "killed"
    progress = folded(declared, asked)
    if not idempotent:
        assert progress.resume_from() is None
        result = progress.result()
        assert (result.outcome, result.cause) == (Outcome.INDETERMINATE, Cause.SCRIPT_KILLED)
        assert [step.state.value for step in result.steps] == ["ok", "indeterminate", "pending"]
        return
    assert progress.resume_from() == 2
    open_gate(host)
    offset = len(host.log)
    resumed = host.start(
        driver.resume(host.where, host.script(declared), host.environment(), first_step=2, offset=offset),
        offset=offset,
    )
    assert resumed.finish() == 0
    assert ledger(host) == "one\ntwo\ntwo\nthree\n"
    assert folded(declared, asked, resumed).result().outcome is Outcome.OK
    again = host.ask(driver.attach(host.where))
    assert folded(declared, again).result() == folded(declared, asked, resumed).result()


def test_drivers_that_resume_at_once_resume_once(host: Host) -> None:
    declared, _ = kill_in_step_two(host, idempotent=True)
    open_gate(host)
    invocation = driver.resume(host.where, host.script(declared), host.environment(), first_step=2)
    with ThreadPoolExecutor(4) as pool:
        driven = list(pool.map(lambda _: host.start(invocation), range(4)))
    for one in driven:
        one.wait_for(Finished)
        one.end_input()
        one.process.wait(30)
    assert ledger(host) == "one\ntwo\ntwo\nthree\n"


def test_a_run_is_not_resumed_while_processes_of_it_are_alive(host: Host) -> None:
    declared = steps({"run": "sleep 301 & echo up; wait", "idempotent": True})
    first = host.run(declared)
    first.wait_for(lambda _event: first.output == b"up")
    kill_process(runner_pid(host))
    asked = host.ask(driver.probe(host.where))
    assert asked.only.detail.startswith("orphans ")
    assert folded(declared, asked).resume_from() is None
    resumed = host.ask(driver.resume(host.where, host.script(declared), host.environment(), first_step=1))
    assert resumed.of(Status)[0].detail.startswith("orphans ")
    assert len(resumed.of(StepStarted)) == 1


def test_the_watchdog_of_a_killed_runner_keeps_nobody_from_resuming(host: Host) -> None:
    declared = steps(
        {"run": "echo up >>ledger; kill -9 $$", "idempotent": True, "when": '[ "$(wc -l <ledger)" = 0 ]'},
        "echo two",
    )
    (host.home / "ledger").touch()
    first = host.run(declared)
    wait_until(lambda: (host.home / "ledger").read_text() == "up\n", "the step")
    first.cut()
    wait_until(lambda: host.ask(driver.probe(host.where)).only.detail == "killed", "the runner to be gone")
    resumed = host.start(driver.resume(host.where, host.script(declared), host.environment(), first_step=2))
    assert resumed.finish() == 0
    assert resumed.output.endswith(b"two\n")


def test_a_host_that_was_restarted_says_so(host: Host) -> None:
    declared, _ = kill_in_step_two(host, idempotent=False)
    claim = host.directory / "go.1"
    pid, start, _boot = claim.read_text().split()
    claim.write_text(f"{pid} {start} 00000000-0000-0000-0000-000000000000\n")
    asked = host.ask(driver.attach(host.where))
    assert asked.of(Status)[0].detail == "rebooted"
    assert "the host was restarted in step 2" in folded(declared, asked).result().message


def test_a_claim_that_a_power_loss_left_empty_counts_as_begun(host: Host) -> None:
    host.ask(driver.attach(host.where))
    (host.directory / "go.1").touch()
    declared = steps("echo ran >>ledger")
    driven = host.run(declared)
    assert driven.finish() == 0
    assert driven.of(Status)[0].state == "gone"
    assert not (host.home / "ledger").exists()


def test_the_watchdog_tells_of_a_killed_runner(host: Host) -> None:
    declared = steps({"run": "echo up; sleep 302", "timeout": "2s"})
    first = host.run(declared)
    first.wait_for(lambda _event: first.output == b"up")
    os.kill(runner_pid(host), signal.SIGKILL)
    first.wait_for(RunnerLost)
    assert folded(declared, first).result().outcome is Outcome.INDETERMINATE


def test_a_lost_pid_that_another_process_has_now_is_not_taken_for_the_runner(host: Host) -> None:
    host.ask(driver.attach(host.where))
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (host.directory / "go.1").write_text(f"{os.getpid()} 1 {boot}\n")
    assert host.ask(driver.probe(host.where)).only.state == "gone"
    began = time.monotonic()
    assert host.ask(driver.stop(host.where, grace=0)).only.result == "gone"
    assert time.monotonic() - began < 20


def test_step_times_come_out_the_same_when_read_again(host: Host) -> None:
    declared = steps("echo one", "echo two")
    first = host.run(declared)
    first.finish()
    again = host.ask(driver.attach(host.where))
    assert again.of(StepEnded) == first.of(StepEnded)
