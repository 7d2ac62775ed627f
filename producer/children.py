"""Programs that run for as long as one command does."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.errors import LongshoreError
from workers.leash import on_leash

LOG_LINES_SHOWN = 15
LAST_SECONDS = 5.0
POLL_SECONDS = 0.05


class ChildEndedError(LongshoreError):
    """A program that should be running has ended."""


@dataclass(frozen=True, kw_only=True)
class Child:
    """A program under way.

    Attributes:
        name: what people call it.
        log: where its words go.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def ended(self) -> ChildEndedError:
        """The error that says how it ended, with the end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        code = self.process.wait()
        return ChildEndedError(
            f"{self.name} ended with {code}. Its log ({self.log}) ends:\n" + "\n".join(lines)
        )


class Children:
    """Starts programs, and ends them in reverse order; none outlives this process."""

    def __init__(self, logs: Path) -> None:
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._logs = logs
        self._children: list[Child] = []

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        announces: bool = False,
        last_signal: int = signal.SIGTERM,
    ) -> Child:
        """Start a program out of the terminal's reach: a Ctrl-C there is for this process to answer.

        Args:
            name: what people call it.
            command: program and arguments; no secrets, which every user of the machine could read.
            environment: its whole environment.
            announces: its first line of output is waited for with ``announcement``.
            last_signal: what it gets when this process is killed outright.
        """
        log = self._logs / f"{name}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                on_leash(command, last_signal),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if announces else stream,
                stderr=stream,
                start_new_session=True,
            )
        child = Child(name=name, process=process, log=log)
        self._children.append(child)
        return child

    def announcement(self, child: Child) -> str:
        """The first line that a program prints.

        Raises:
            ChildEndedError: it ended without one.
        """
        assert child.process.stdout is not None  # noqa: S101 - started with announces=True
        with child.process.stdout as stream:
            line = stream.readline().decode().strip()
        if not line:
            raise child.ended()
        return line

    def check(self) -> None:
        """See that all of them run.

        Raises:
            ChildEndedError: one has ended.
        """
        for child in self._children:
            if child.process.poll() is not None:
                raise child.ended()

    def end(self, *, grace: float, hurry: threading.Event) -> None:
        """Ask them to end, then press them, then kill what is left; the first, which they need, comes last.

        Args:
            grace: seconds that each has to end by itself.
            hurry: once set, nobody has that time any more.
        """
        for child in self._children[1:]:
            child.process.terminate()
        for child in reversed(self._children):
            if child is self._children[0]:
                child.process.terminate()
            if not _ends_within(child.process, grace, hurry):
                child.process.terminate()  # a second time: workers then end at once
                if not _ends_within(child.process, LAST_SECONDS, threading.Event()):
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child.process.pid, signal.SIGKILL)
                    child.process.wait()
        self._children.clear()


def _ends_within(process: subprocess.Popen[bytes], seconds: float, hurry: threading.Event) -> bool:
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > deadline or hurry.wait(POLL_SECONDS):
            return False
    return True
