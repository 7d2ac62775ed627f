"""Drivers and runners started for real, as local processes with pipes in place of SSH."""

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pytest

from config.application import Action, Application
from tasks.actions.steps import Step, steps_of
from tasks.hostscript import driver
from tasks.hostscript.compile import compile_script
from tasks.hostscript.control import ControlParser, Event, Finished, Output
from tasks.hostscript.results import Progress

MARKER = driver.marker_from(b"unit-tests")
SHELLS = ("dash", "bash", "busybox")
PATIENCE = 60.0


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def require(tool: str) -> str:
    """Path of a tool; without it the test is skipped, in CI it fails."""
    path = shutil.which(tool)
    if path is None:
        unavailable(f"{tool} is not installed")
    assert path is not None
    return path


def unavailable(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def plain(text: str, _parameters: object) -> str:
    """Stands in for the renderer where no template is tested."""
    return text


def steps(*actions: str | dict[str, Any], **options: Any) -> tuple[Step, ...]:
    declared = [
        Action.model_validate({"run": action} if isinstance(action, str) else action) for action in actions
    ]
    application = Application(application="shop", actions=tuple(declared))
    return steps_of(
        application, options.pop("parameters", {}), render=options.pop("render", plain), **options
    )


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}"
        time.sleep(0.01)


@dataclass(kw_only=True)
class Driver:
    """One driver process, and what it said."""

    process: subprocess.Popen[bytes]
    parser: ControlParser
    events: list[Event] = field(default_factory=list)
    raw: bytes = b""

    def pump(self, timeout: float = PATIENCE) -> bool:
        """Take in what comes next; False at the end."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        assert ready, f"nothing came in {timeout} s, after {self.events}"
        data = os.read(self.process.stdout.fileno(), 65536)
        self.raw += data
        self.events += self.parser.feed(data)
        return bool(data)

    def wait_for(self, kind: type[Event] | Callable[[Event], bool]) -> Event:
        """The first event of a kind, or that a predicate takes."""
        wanted = (lambda event: isinstance(event, kind)) if isinstance(kind, type) else kind
        seen = 0
        while True:
            for event in self.events[seen:]:
                if wanted(event):
                    return event
            seen = len(self.events)
            assert self.pump(), (
                f"the driver ended with {self.process.wait()} after {self.events}: {self.errors()}"
            )

    def end_input(self) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def finish(self) -> int:
        """Follow to the end as a worker does: input ends when the run has finished. The exit code."""
        closed = False
        while True:
            if not closed and any(isinstance(event, Finished) for event in self.events):
                self.end_input()
                closed = True
            if not self.pump():
                return self.process.wait(PATIENCE)

    def cut(self) -> None:
        """Lose the connection: what the server started is killed, and the pipes are closed."""
        self.process.kill()
        self.process.wait()
        self.end_input()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def errors(self) -> bytes:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    @property
    def output(self) -> bytes:
        return b"".join(event.data for event in self.events if isinstance(event, Output))

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def only(self) -> Any:
        """The one event that isn't output."""
        (event,) = [event for event in self.events if not isinstance(event, Output)]
        return event


@dataclass(frozen=True, kw_only=True)
class Host:
    """A host to be: a home, and one shell that is its ``sh``."""

    home: Path
    path: str
    where: driver.HostRun
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        work = Path(self.where.work_directory)
        return (work if work.is_absolute() else self.home / work) / "runs" / self.where.run_id

    @property
    def log(self) -> bytes:
        return (self.directory / "log").read_bytes()

    def holding(self, number: int, epoch: int = 1) -> Self:
        """The same run with another token."""
        token = driver.Token(epoch=epoch, number=number)
        return replace(self, where=self.where.model_copy(update={"token": token}))

    def of_run(self, run_id: str) -> Self:
        return replace(self, where=self.where.model_copy(update={"run_id": run_id}))

    def in_work_directory(self, work_directory: str) -> Self:
        return replace(self, where=self.where.model_copy(update={"work_directory": work_directory}))

    def on_path(self, path: str) -> Self:
        return replace(self, path=path)

    def environment(self, **parameters: str) -> dict[str, str]:
        names = {"run_id": self.where.run_id, "application": "shop", "host": "web-1"}
        return driver.environment_of(parameters, **names, batch=2)

    def script(self, declared: Sequence[Step], **options: Any) -> bytes:
        return compile_script(declared, **options)

    def start(
        self,
        invocation: driver.Invocation,
        *,
        extra: bytes = b"",
        login: str = "sh",
        offset: int = 0,
        **popen: Any,
    ) -> Driver:
        process = subprocess.Popen(
            [login, "-c", invocation.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"HOME": str(self.home), "PATH": self.path},
            **popen,
        )
        self.started.append(process)
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(invocation.stdin + extra)
            process.stdin.flush()
        return Driver(process=process, parser=ControlParser(MARKER, offset=offset))

    def run(self, declared: Sequence[Step], *, offset: int = 0, **parameters: str) -> Driver:
        script = self.script(declared, parameters=parameters)
        return self.start(
            driver.run(self.where, script, self.environment(**parameters), offset=offset), offset=offset
        )

    def carry_out(self, *actions: str | dict[str, Any], **parameters: str) -> tuple[Driver, Progress]:
        """Run actions to their end."""
        declared = steps(*actions)
        driven = self.run(declared, **parameters)
        assert driven.finish() == 0, driven.errors()
        return driven, folded(declared, driven)

    def ask(self, invocation: driver.Invocation, *, extra: bytes = b"") -> Driver:
        """Start a driver that ends by itself, or at the end of the run, and wait for that."""
        driven = self.start(invocation, extra=extra)
        driven.finish()
        driven.end_input()
        return driven

    def processes(self) -> list[int]:
        """Every process that has this host's home in its environment and is no zombie."""
        wanted = b"HOME=" + str(self.home).encode() + b"\0"
        return [pid for pid in all_processes() if wanted in _read(f"/proc/{pid}/environ")]

    def end(self) -> None:
        for process in self.started:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
            if process.poll() is None:
                process.kill()
                process.wait()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def folded(declared: Sequence[Step], *drivers: Driver) -> Progress:
    progress = Progress(declared)
    for driven in drivers:
        for event in driven.events:
            progress.apply(event)
    return progress


def all_processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def command_lines() -> bytes:
    return b"\n".join(_read(f"/proc/{pid}/cmdline") for pid in all_processes() if pid != os.getpid())


def command_lines_of(host: Host) -> bytes:
    return b"\n".join(_read(f"/proc/{pid}/cmdline") for pid in host.processes())


def runner_pid(host: Host, attempt: int = 1) -> int:
    return int((host.directory / f"go.{attempt}").read_text().split()[0])


def is_alive(pid: int) -> bool:
    stat = _read(f"/proc/{pid}/stat")
    return bool(stat) and b") Z " not in stat


def kill_process(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), f"process {pid} to be gone")


def kill_group(pid: int) -> None:
    os.killpg(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), f"process {pid} to be gone")


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def make_host(folder: Path, shell: str) -> Host:
    home, tools = folder / "home", folder / "bin"
    home.mkdir()
    tools.mkdir()
    (tools / "sh").symlink_to(require(shell))
    if shell == "busybox":
        # As on a host that has nothing else: its applets come first.
        for applet in (
            "head",
            "tail",
            "mkdir",
            "sleep",
            "wc",
            "setsid",
            "grep",
            "find",
            "rm",
            "mv",
            "cat",
            "tar",
        ):
            (tools / applet).symlink_to(require(shell))
    where = driver.HostRun(run_id="run-1", marker=MARKER, token=driver.Token(epoch=1, number=5))
    return Host(home=home, path=f"{tools}:{os.environ['PATH']}", where=where)
