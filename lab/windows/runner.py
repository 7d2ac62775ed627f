"""What carries out the steps on a stand-in Windows host, by the contracts of units runner and text."""

import contextlib
import json
import queue
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.windows.paths import PathError
from lab.windows.processes import Process
from lab.windows.rundir import RunDirectory, control, uptime
from lab.windows.units import Data, UnknownUnitError, pipe_name

TIMED_OUT = 124
KEPT_RUNS = 20
_KEPT_GUARDS = 40
_CREATE_REFUSED = 2
_DISK_FULL = 28
_RESERVE = 65_536


class TimeOverError(Exception):
    """The step has had its time."""


@dataclass(kw_only=True)
class Runner:
    """One runner.

    Attributes:
        index: of the step under way.
        deadline: when its time is over, in seconds that only go forward.
        directory_path: where it runs.
    """

    process: Process
    run: RunDirectory
    index: int = 0
    deadline: float = 0.0
    directory_path: str = ""
    skipped: bool = field(default=False)

    @property
    def log(self) -> Path:
        """The run's log."""
        return self.run.place / "log"

    def append(self, data: bytes) -> None:
        """Write to the log; on a full disk control lines still find the reserve."""
        with self.process.working():
            self.run.machine.written()
            with self.log.open("ab") as log:
                log.write(data)

    def say(self, line: str) -> None:
        """A control line into the log."""
        marker = self.run.data["marker"]
        data = control(marker, line)
        with self.process.working():
            if self.run.machine.trouble.disk_full:
                data = (
                    control(marker, f"cause {self.index} disk_full no space left in {self.run.path}") + data
                )
            with self.log.open("ab") as log:
                log.write(data)

    def line(self, text: str) -> None:
        """A line for people into the log."""
        self.append(f"{' '.join(text.split())}\n".encode())

    def cause(self, cause: str, detail: str) -> int:
        """Name the cause of the step's failure; gives its exit code."""
        text = " ".join(detail.split())
        self.append(f"{text}\n".encode())
        self.say(f"cause {self.index} {cause} {text}")
        return 1

    def joined(self, parts: list[str]) -> str:
        """Texts and variables by turns, as one text."""
        environment = self.process.environment
        return "".join(
            environment.get(part.upper(), "") if index % 2 else part for index, part in enumerate(parts)
        )

    def path(self, parts: list[str]) -> Path:
        """The place that a field names."""
        return self.run.machine.place(self.joined(parts), self.directory_path)

    def wait(self, seconds: float) -> None:
        """Let time pass, but no more than the step has."""
        left = self.deadline - time.monotonic()
        self.process.wait(min(seconds, left))
        if seconds >= left:
            raise TimeOverError

    def text(self, shell: str, command: str, name: str) -> int:
        """Run a person's text in a process of its own; its output goes to the log."""
        suffix = "cmd" if shell == "cmd" else "ps1"
        file = f"{self.run.path}\\{name}.{self.index}.{suffix}"
        with self.process.working():
            self.run.machine.written()
            self.run.machine.place(file).write_bytes(_file_of(shell, command))
        line = (
            f'cmd.exe /d /s /c ""{file}""' if shell == "cmd" else f'powershell.exe -NoProfile -File "{file}"'
        )
        child = self.run.machine.start(
            line, environment=self.process.environment, directory=self.directory_path, parent=self.process.pid
        )
        child.stdin.end()
        while True:
            self.process.check()
            ended = child.ended.is_set()
            parts = child.outputs.take(0.1)
            for _, data in parts:
                self.append(data)
            if ended and not parts and child.exit_code is not None:
                return child.exit_code
            if time.monotonic() >= self.deadline:
                self.run.machine.processes.kill_tree(child.pid, child.started)
                raise TimeOverError


def _file_of(shell: str, command: str) -> bytes:
    if shell != "cmd":
        return command.encode("utf-8-sig")
    lines = "\r\n".join(command.replace("\r\n", "\n").split("\n"))
    return f"@echo off\r\nchcp 65001 >nul\r\n{lines}\r\n".encode()


def start_runner(directory: RunDirectory, script: str, document: str) -> str:
    """Make a runner and give it script and data; its answer.

    Raises:
        UnknownUnitError: the lab has no stand-in for what would read them.
    """
    data, process, machine = directory.data, directory.process, directory.machine
    if not pipe_name(data["pipe"].replace("NAME", f"longshore-{'0' * 32}")):
        raise UnknownUnitError("the WinRM protocol lab has no stand-in for this text of the unit 'pipe'")
    if data["detached"] and machine.trouble.wmi_refused:
        return f"fail command Win32_Process.Create answered {_CREATE_REFUSED}"
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def run(runner: Process) -> int:
        runner.wait(machine.trouble.powershell_seconds)
        return carry_out(runner, json.loads(document), answers)

    del script  # the driver has looked at its units already
    made = machine.launch(
        run,
        command_line="powershell.exe -NoProfile -EncodedCommand (the runner's)",
        environment=dict(process.environment),
        directory=process.environment["USERPROFILE"],
        parent=0 if data["detached"] else process.pid,
    )
    while True:
        process.check()
        with contextlib.suppress(queue.Empty):
            return answers.get(timeout=0.1)
        if made.ended.is_set():
            return "fail command the process that carries out the steps ended at once"


def carry_out(process: Process, data: Data, answers: "queue.SimpleQueue[str]") -> int:
    """The runner's life: claim, answer, steps."""
    run = RunDirectory(process, data)
    answer = _answer(run)
    answers.put(answer)
    if answer != "claimed":
        return 0
    for each in data["environment"]:
        process.environment[each["name"].upper()] = each["value"]
    _steps(Runner(process=process, run=run))
    with contextlib.suppress(OSError):
        _prune(run)
    return 0


def _answer(run: RunDirectory) -> str:
    try:
        run.look()
        if run.state not in {"new", "gone"}:
            return "lost"
        me = f"{run.process.pid} {run.process.started}"
        with run.process.working():
            run.machine.written()
            (run.place / "log").touch()
            (run.place / "reserve").write_bytes(bytes(_RESERVE))
        if busy := _guard(run, me):
            return busy
        attempt = run.attempt + 1
        if not run.claim(f"go.{attempt}", me):
            return "lost"
        if (run.place / "cancel").exists() or (run.place / f"go.{attempt + 1}").exists():
            return "lost"
    except OSError as error:
        cause = "disk_full" if error.errno == _DISK_FULL else "workdir"
        return f"fail {cause} {error.strerror or error}"
    return "claimed"


def _guard(run: RunDirectory, me: str) -> str:
    """One run at a time under a work directory: the newest ``active.N`` has it, while it lives."""
    mine = str(run.data["run"])
    while True:
        newest = max(_active(run), default=0)
        if newest:
            words = (run.work / f"active.{newest}").read_text().split()
            over = (run.work / "runs" / words[0] / "finish").exists()
            if not over and run.machine.processes.alive(int(words[1]), int(words[2])):
                return "lost" if words[0] == mine else f"busy {words[0]}"
        if not run.claim_at(run.work / f"active.{newest + 1}", f"{mine} {me}"):
            continue
        numbers = sorted(_active(run))
        if numbers[-1] != newest + 1:
            continue
        if len(numbers) > _KEPT_GUARDS:
            for each in numbers[:-1]:
                (run.work / f"active.{each}").unlink()
        return ""


def _active(run: RunDirectory) -> list[int]:
    return [int(each.name[7:]) for each in run.work.glob("active.*") if each.name[7:].isdigit()]


def _steps(runner: Runner) -> None:
    code = 0
    for step in runner.run.data["steps"]:
        if step["index"] < runner.run.data["first_step"]:
            continue
        runner.index, runner.skipped = step["index"], False
        runner.say(f"start {step['index']} {uptime()}")
        runner.deadline = time.monotonic() + step["timeout"]
        exit_code, late = _step(runner, step)
        runner.say(f"end {step['index']} {uptime()} {exit_code}{late}")
        if exit_code and not step["keep_going"]:
            code = exit_code
            break
    runner.say(f"finish {uptime()} {code}")
    runner.run.claim("finish", str(code))


def _step(runner: Runner, step: dict[str, Any]) -> tuple[int, str]:
    environment = runner.process.environment
    before = dict(environment)
    try:
        for each in step["environment"]:
            environment[each["name"].upper()] = runner.joined(each["parts"])
        return _carried_out(runner, step), ""
    except TimeOverError:
        return TIMED_OUT, " timeout"
    except OSError as error:
        if error.errno == _DISK_FULL:
            return 1, ""  # its control line says why
        runner.line(f"{error.strerror or error}")
        return 1, ""
    except PathError as error:
        runner.line(str(error))
        return 1, ""
    finally:
        environment.clear()
        environment.update(before)


def _carried_out(runner: Runner, step: dict[str, Any]) -> int:
    from lab.windows.actions import ACTIONS  # noqa: PLC0415 - actions take runners

    profile = runner.process.environment["USERPROFILE"]
    directory = profile if step["directory"] is None else runner.joined(step["directory"])
    runner.directory_path = runner.run.machine.full_path(directory, profile)
    if not runner.run.machine.place(runner.directory_path).is_dir():
        runner.line(f"there is no folder {runner.directory_path}")
        return 1
    if step["when"] is not None:
        exit_code = runner.text(step["shell"], step["when"], "when")
        if exit_code == 1:
            runner.say(f"skip {step['index']}")
            return 0
        if exit_code:
            return exit_code
    if step["kind"] == "run":
        return runner.text(step["shell"], step["command"], "step")
    return ACTIONS[step["kind"]](runner, step["fields"])


def _prune(run: RunDirectory) -> None:
    runs = sorted((run.work / "runs").iterdir())
    for each in runs[: max(0, len(runs) - KEPT_RUNS)]:
        if each != run.place and (each / "finish").exists():
            with run.process.working():
                shutil.rmtree(each)
