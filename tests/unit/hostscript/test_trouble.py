"""Hosts that lack something, and uploads that break off."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from config.causes import Cause
from tasks.hostscript import driver
from tasks.hostscript.control import DriverFailed, Status, StepEnded
from tasks.hostscript.results import silent_driver
from tasks.outcomes import Outcome
from tests.support.hostscript import (
    MARKER,
    Host,
    command_lines,
    folded,
    names,
    require,
    steps,
    unavailable,
    wait_until,
)

TOOLS = ("mkdir", "head", "tail", "sleep", "wc", "setsid", "grep", "cat", "rm", "dd")


def with_tools(host: Host, folder: Path, *missing: str) -> Host:
    """The host with nothing but a few tools, without some of them."""
    folder.mkdir()
    (folder / "sh").symlink_to(os.path.realpath(host.path.split(":")[0] + "/sh"))
    for tool in TOOLS:
        if tool not in missing:
            (folder / tool).symlink_to(require(tool))
    return host.on_path(str(folder))


@pytest.mark.parametrize(
    ("tool", "package"), [("setsid", "util-linux"), ("tail", "coreutils"), ("mkdir", "coreutils")]
)
def test_a_missing_tool_is_named_with_its_package(
    dash_host: Host, tmp_path: Path, tool: str, package: str
) -> None:
    poor = with_tools(dash_host, tmp_path / "poor", tool)
    declared = steps("echo one >ledger")
    driven = poor.start(
        driver.run(poor.where, poor.script(declared), poor.environment()), login=f"{tmp_path}/poor/sh"
    )
    exit_code = driven.finish()
    progress = folded(declared, driven)
    if not driven.events:
        progress.apply(silent_driver(exit_code, driven.errors()))
    result = progress.result()
    assert (result.outcome, result.cause) == (Outcome.FAILED, Cause.TOOL_MISSING)
    assert result.message == f"the host has no {tool}; install the package {package}"
    assert not (dash_host.home / "ledger").exists()


def test_a_login_that_runs_no_commands_is_told_by_what_it_said() -> None:
    said = silent_driver(1, b"This account is currently not available.\n")
    assert said == DriverFailed(
        cause=Cause.COMMAND,
        detail="the login ran no command (exit code 1): This account is currently not available.",
    )


def test_a_work_directory_that_cannot_be_made_is_its_own_cause(host: Host) -> None:
    (host.home / "file").touch()
    placed = host.in_work_directory("file/work")
    declared = steps("true")
    driven = placed.run(declared)
    assert driven.finish() == driver.EXIT_FAILED
    result = folded(declared, driven).result()
    assert result.cause is Cause.WORKDIR
    assert "Not a directory" in result.message


def test_a_run_directory_of_another_user_is_refused(host: Host) -> None:
    if os.geteuid() != 0:
        unavailable("another user's directory takes root to make")
    host.directory.mkdir(parents=True)
    os.chown(host.directory, 4242, 4242)
    driven = host.run(steps("true"))
    driven.finish()
    assert driven.only.cause is Cause.WORKDIR
    assert driven.only.detail.endswith("belongs to another user")


def test_an_upload_cut_short_at_any_byte_runs_nothing(host: Host) -> None:
    declared = steps("echo ran >>ledger", {"run": "echo ran >>ledger", "become": True})
    stdin = driver.run(host.where, host.script(declared), host.environment(note="x'y")).stdin
    folder, shell = host.path.split(":")[0], os.path.realpath(host.path.split(":")[0] + "/sh")
    step = 7 if shell.endswith("dash") else 61
    cuts = sorted({*range(0, len(stdin) - 700, step), *range(len(stdin) - 700, len(stdin) - 1)})
    for cut in cuts:
        subprocess.run(
            [f"{folder}/sh", "-s", "run", "run-1", "1", "5", "0"],
            input=stdin[:cut],
            env={"HOME": str(host.home), "PATH": host.path},
            capture_output=True,
            check=False,
        )
        assert names(host.home) == [], cut


def test_secrets_stand_in_no_argument_and_no_file(host: Host) -> None:
    hidden = "s3cr3t-value-4711"
    declared = steps(
        'echo up; [ "$password" = s3cr3t-value-47"11" ] || exit 9; until [ -e gate ]; do sleep 0.05; done'
    )
    driven = host.run(declared, password=hidden)
    driven.wait_for(lambda _event: driven.output == b"up")
    seen = command_lines()
    (host.home / "gate").touch()
    assert driven.finish() == 0
    assert host.where.run_id.encode() in seen
    assert hidden.encode() not in seen
    for path in host.home.rglob("*"):
        assert path.is_dir() or hidden.encode() not in path.read_bytes(), path
    assert hidden not in repr(driver.run(host.where, b"", host.environment(password=hidden)))
    assert driven.of(StepEnded)[0].exit_code == 0


@pytest.mark.parametrize("login_shell", ["bash", "dash", "zsh", "fish", "tcsh"])
@pytest.mark.parametrize("mode", ["run", "stop", "put"])
def test_the_command_line_survives_any_login_shell(dash_host: Host, login_shell: str, mode: str) -> None:
    shell = require(login_shell)
    invocations = {
        "run": driver.run(dash_host.where, dash_host.script(steps("echo one")), dash_host.environment()),
        "stop": driver.stop(dash_host.where),
        "put": driver.put(
            dash_host.where,
            "1.file",
            size=0,
            sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
    }
    driven = dash_host.start(invocations[mode], login=shell)
    assert driven.finish() == 0, driven.errors()
    assert len(driven.events) >= 1
    assert driven.errors() == b""


def test_command_lines_keep_to_what_every_login_shell_takes() -> None:
    where = driver.HostRun(run_id="run-1", marker=MARKER, token=driver.Token(epoch=1, number=1))
    for invocation in (
        driver.run(where, b"", {}),
        driver.attach(where),
        driver.stop(where),
    ):
        assert re.fullmatch(r"[a-z0-9 &-]+", invocation.command)
    before, text, after = driver.put(where, "1.file", size=1, sha256="0" * 64).command.split("'")
    assert (before, after.split()[0]) == ("exec sh -c ", "longshore")
    assert "\n" not in text
    assert "\\\\" not in text
    assert all(
        character in " =" for character in (text[at + 1] for at, sign in enumerate(text) if sign == "!")
    )


FULL_DISK = """
import sys
from pathlib import Path
from tests.support.hostscript import folded, make_host, steps
from tasks.hostscript.control import DriverFailed
host = make_host(Path(sys.argv[1]), sys.argv[2]).in_work_directory(sys.argv[3])
fill = f"dd if=/dev/zero of={sys.argv[3]}/fill bs=4096 2>/dev/null"
if sys.argv[4] == "before":
    import os
    os.system(fill)
    declared = steps("echo one")
else:
    declared = steps(fill + "; head -c 100000 /dev/zero", "echo two")
driven = host.run(declared)
driven.finish()
result = folded(declared, driven).result()
print(result.outcome, result.cause, bool(driven.of(DriverFailed)))
host.end()
"""


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("when", ["before", "while"])
def test_a_full_disk_is_reported_though_nothing_can_be_written(tmp_path: Path, shell: str, when: str) -> None:
    if os.geteuid() != 0:
        unavailable("a small disk takes root to mount")
    small = tmp_path / "small"
    small.mkdir()
    mount = f'mount -t tmpfs -o size=128k tmpfs "{small}" && exec "$@"'
    done = subprocess.run(
        [
            "unshare",
            "-m",
            "sh",
            "-c",
            mount,
            "sh",
            sys.executable,
            "-c",
            FULL_DISK,
            tmp_path,
            shell,
            small,
            when,
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert done.stdout.split() == ["failed", "disk_full", str(when == "before")], done.stderr


def test_a_greeting_of_the_login_shell_is_no_part_of_the_log(dash_host: Host) -> None:
    invocation = driver.run(dash_host.where, dash_host.script(steps("echo one")), dash_host.environment())
    greeted = driver.Invocation(command=f"echo welcome; {invocation.command}", stdin=invocation.stdin)
    driven = dash_host.start(greeted)
    assert driven.finish() == 0
    assert driven.output == b"one\n"
    assert driven.parser.preface == b"welcome\n"
    assert driven.parser.offset == len(dash_host.log)
    assert isinstance(driven.events[0], Status)


def test_a_run_that_finishes_removes_the_oldest_finished_ones(host: Host) -> None:
    runs = host.home / ".longshore" / "runs"
    for index in range(23):
        (runs / f"run-{index:02}").mkdir(parents=True)
        if index != 1:
            (runs / f"run-{index:02}" / "finish").write_text("0\n")
    driven = host.of_run("run-30").run(steps("true"))
    driven.finish()
    assert driven.errors() == b""
    kept = ["run-01", *(f"run-{index:02}" for index in range(4, 23)), "run-30"]
    wait_until(lambda: names(runs) == kept, "the oldest to go")
