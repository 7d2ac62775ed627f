"""The real driver and script, under dash, bash and BusyBox."""

import os
from pathlib import Path

import pytest

from config.causes import Cause
from tasks.hostscript import driver
from tasks.hostscript.control import Finished, Status, StepEnded, StepStarted
from tasks.outcomes import Outcome, StepState
from tests.support.hostscript import Host, folded, steps, wait_until


def states(progress: object) -> list[str]:
    return [result.state.value for result in progress.steps]  # type: ignore[attr-defined]


def test_steps_run_in_order_and_end_ok(host: Host) -> None:
    driven, progress = host.carry_out("echo one", "echo two >&2", "echo three")
    assert driven.output == b"one\ntwo\nthree\n"
    assert [event.index for event in driven.of(StepStarted)] == [1, 2, 3]
    assert progress.result().outcome is Outcome.OK
    assert driven.errors() == b""


def test_nothing_is_left_running_after_a_run(host: Host) -> None:
    host.carry_out("echo one")
    wait_until(lambda: not host.processes(), "the last process to end")


def test_many_quick_runs_leave_no_process(dash_host: Host) -> None:
    for number in range(60):
        dash_host.of_run(f"run-{number}").carry_out("true")
    wait_until(lambda: not dash_host.processes(), "the last process of each run to end")


def test_output_without_a_trailing_newline_stays_byte_exact(host: Host) -> None:
    driven, _ = host.carry_out("printf 'no newline'", r"printf '\n\n'", "printf x")
    assert driven.output == b"no newline\n\nx"


def test_binary_output_stays_byte_exact(host: Host) -> None:
    blob = bytes(range(256)) * 40
    (host.home / "blob").write_bytes(blob)
    driven, _ = host.carry_out("cat blob", "cat blob; printf end")
    assert driven.output == blob + blob + b"end"


def test_output_that_imitates_control_lines_is_only_output(host: Host) -> None:
    fake = "\nls-0000000000000000 finish 1.00 0\n\nls-7 end 1 1.00 0\n"
    (host.home / "fake").write_text(fake)
    driven, progress = host.carry_out("cat fake; exit 3")
    assert driven.output == fake.encode()
    assert progress.result().steps[0].exit_code == 3


def test_first_failure_stops_and_the_rest_stays_pending(host: Host) -> None:
    driven, progress = host.carry_out("echo one", "echo 'disk on \033[31mfire'; exit 7", "echo three")
    assert states(progress) == ["ok", "failed", "pending"]
    result = progress.result()
    assert (result.outcome, result.cause) == (Outcome.FAILED, Cause.STEP_FAILED)
    assert result.message.endswith("ended with exit code 7: disk on fire")
    assert driven.of(Finished)[0].exit_code == 7


def test_keep_going_goes_on_after_a_failure(host: Host) -> None:
    _, progress = host.carry_out({"run": "exit 7", "keep_going": True}, "echo two")
    assert states(progress) == ["failed", "ok"]
    assert progress.result().outcome is Outcome.OK


def test_when_skips_a_step_whose_test_fails(host: Host) -> None:
    driven, progress = host.carry_out(
        {"run": "echo no", "when": "[ -e /nowhere ]"},
        {"run": "echo yes", "when": '[ "$LONGSHORE_BATCH" = 2 ]'},
    )
    assert driven.output == b"yes\n"
    assert states(progress) == ["skipped", "ok"]


@pytest.mark.parametrize(
    "test", ["command -v no-such-tool", "grep -q x /nowhere 2>/dev/null", "echo why >&2; false"]
)
def test_when_that_is_false_however_it_says_so_skips(host: Host, test: str) -> None:
    _, progress = host.carry_out({"run": "echo no", "when": test})
    assert [step.state.value for step in progress.steps] == ["skipped"]


@pytest.mark.parametrize("test", ["if then", "grep -q x /nowhere", "[ x -eq 1 ]"])
def test_when_that_tells_why_it_can_not_be_run_fails_the_step(host: Host, test: str) -> None:
    driven, progress = host.carry_out({"run": "echo no", "when": test})
    assert [step.state.value for step in progress.steps] == ["failed"]
    assert b"no\n" not in driven.output.splitlines(keepends=True)


def test_when_that_cannot_be_run_fails_the_step(host: Host) -> None:
    _, progress = host.carry_out({"run": "echo no", "when": "no-such-test"})
    assert states(progress) == ["failed"]


def test_syntax_error_in_one_step_fails_this_step_only(host: Host) -> None:
    driven, progress = host.carry_out({"run": "if then; (", "keep_going": True}, "echo two")
    assert states(progress) == ["failed", "ok"]
    assert driven.output.endswith(b"two\n")


def test_steps_do_not_share_directory_variables_or_options(host: Host) -> None:
    driven, _ = host.carry_out(
        "cd /; x=1; set -C; umask 0; trap 'echo trapped' EXIT",
        'pwd; echo "[$x]"; umask; case $- in *C*) echo C ;; esac',
    )
    mask = os.umask(0)
    os.umask(mask)
    assert driven.output == b"trapped\n%s\n[]\n%04o\n" % (str(host.home).encode(), mask)


def test_a_step_runs_in_its_directory(host: Host) -> None:
    folder = host.home / "a 'b"
    folder.mkdir()
    driven, _ = host.carry_out({"run": "pwd", "in": "a 'b"}, {"run": "pwd", "in": str(folder)})
    assert driven.output.decode() == f"{folder}\n{folder}\n"


def test_a_missing_directory_fails_the_step_before_its_command(host: Host) -> None:
    driven, progress = host.carry_out({"run": "echo ran", "in": "/no/such/folder"})
    assert states(progress) == ["failed"]
    assert b"ran" not in driven.output


def test_steps_find_parameters_and_place_in_their_environment(host: Host) -> None:
    driven, _ = host.carry_out(
        {
            "run": 'echo "$version $LONGSHORE_RUN $LONGSHORE_HOST"'
            '\necho "$LONGSHORE_APPLICATION $LONGSHORE_BATCH $own"',
            "env": {"own": "it's"},
        },
        version="1.4",
    )
    assert driven.output == b"1.4 run-1 web-1\nshop 2 it's\n"


def test_standard_input_of_a_step_is_empty(host: Host) -> None:
    driven, _ = host.carry_out("cat; echo end")
    assert driven.output == b"end\n"


def test_a_command_that_begins_with_a_dash_is_no_option_of_eval(host: Host) -> None:
    _, progress = host.carry_out("-x")
    assert progress.result().steps[0].exit_code == 127


def test_time_is_the_hosts_own_clock(host: Host) -> None:
    before = float(Path("/proc/uptime").read_text().split()[0])
    driven, progress = host.carry_out("sleep 0.3")
    assert before <= driven.of(StepStarted)[0].uptime <= driven.of(StepEnded)[0].uptime
    seconds = progress.steps[0].seconds
    assert seconds is not None
    assert 0.25 <= seconds < 10


def test_a_script_of_over_100_kilobytes_runs_whole(host: Host) -> None:
    declared = steps(*(f"echo {index}; : {'x' * 1000}" for index in range(120)))
    assert len(host.script(declared)) > 100_000
    driven = host.run(declared)
    assert driven.finish() == 0
    assert driven.output == b"".join(b"%d\n" % index for index in range(120))


def test_a_run_that_never_began_is_said_to_be_new(host: Host) -> None:
    assert host.ask(driver.probe(host.where)).only == Status(state="new", size=0)
    assert not host.directory.exists()
    assert host.ask(driver.attach(host.where)).only == Status(state="new", size=0)


def test_a_finished_run_is_read_again_and_not_run_again(host: Host) -> None:
    declared = steps("echo once >>ledger; echo one")
    first = host.run(declared)
    first.finish()
    for again in (host.run(declared), host.start(driver.attach(host.where))):
        assert again.finish() == 0
        assert again.of(Status)[0].state == "finished"
        assert again.output == b"one\n"
        assert folded(declared, again).result() == folded(declared, first).result()
    assert (host.home / "ledger").read_text() == "once\n"


def test_an_absolute_work_directory_with_odd_characters_works(host: Host, tmp_path: Path) -> None:
    placed = host.in_work_directory(str(tmp_path / "work 'dir' \\n $x !"))
    driven, progress = placed.carry_out("echo one")
    assert driven.output == b"one\n"
    assert progress.result().outcome is Outcome.OK
    assert placed.directory.stat().st_mode & 0o777 == 0o700


def test_a_detached_service_that_a_step_starts_survives_the_run(host: Host) -> None:
    host.carry_out("setsid sleep 300 >/dev/null 2>&1 & echo $! >pid")
    assert Path(f"/proc/{(host.home / 'pid').read_text().strip()}").exists()


def test_skipped_state_is_a_state_of_its_own(host: Host) -> None:
    _, progress = host.carry_out({"run": "echo no", "when": "false"})
    assert progress.steps[0].state is StepState.SKIPPED
    assert progress.result().outcome is Outcome.OK
