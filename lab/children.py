"""Programs that run beside one another for as long as their keeper does."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.processes import become_subreaper, descendants

_LOG_TAIL_LINES = 15


class ChildError(Exception):
    """A program that should be running is not; the text has the end of its log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Child:
    """A program under way.

    Attributes:
        name: what people call it.
        log: where its words go.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Children:
    """Starts programs, and in the end ends them in reverse order, with all that they have started."""

    def __init__(self, logs: Path, *, stop_timeout: float = 20.0) -> None:
        """Nothing is started yet.

        Args:
            logs: directory for one log per program.
            stop_timeout: seconds that each has to end by itself.
        """
        self._logs = logs
        self._stop_timeout = stop_timeout
        self._children: list[Child] = []
        logs.mkdir(parents=True, exist_ok=True)
        become_subreaper()

    def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Child:
        """Start a program out of the terminal's reach: a Ctrl-C there is for the keeper to answer."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                argv,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,
            )
        child = Child(name=name, process=process, log=log)
        self._children.append(child)
        return child

    def first_line(self, child: Child) -> str:
        """Wait for the first line that a program prints, and return it.

        Raises:
            ChildError: it ended without one.
        """
        stdout = child.process.stdout
        assert stdout is not None  # noqa: S101 - stdout=PIPE above
        line = stdout.readline().decode().strip()
        if not line:
            child.process.wait()
            raise _ended(child)
        return line

    def check(self) -> None:
        """See that all of them run.

        Raises:
            ChildError: one has ended.
        """
        # An interrupt in the middle of `poll` leaves its lock taken: waiting for that child would not end.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            ended = next((child for child in self._children if child.process.poll() is not None), None)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if ended is not None:
            raise _ended(ended)

    def end_all(self) -> None:
        """End them, the last one first, and whatever any of them has left behind."""
        for child in reversed(self._children):
            child.process.terminate()
            try:
                child.process.wait(self._stop_timeout)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            if child.process.stdout:
                child.process.stdout.close()
        self._children.clear()
        _end_strays()


def _ended(child: Child) -> ChildError:
    tail = "\n".join(child.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])
    return ChildError(
        f"{child.name} ended with {child.process.returncode}, its log ({child.log}) with:\n{tail}"
    )


def _end_strays() -> None:
    """End processes whose parents are gone; as a subreaper, this process has inherited them."""
    deadline = time.monotonic() + 1.0
    number = signal.SIGTERM
    while strays := descendants(os.getpid()):
        for pid in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        time.sleep(0.02)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if time.monotonic() > deadline:
            number = signal.SIGKILL
