"""Drives the host script on a stand-in Windows host without a network: invocations in, events out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.application import Application
from config.templates import render
from lab.windows.machine import WindowsMachine
from lab.windows.processes import Process
from tasks.actions.steps import steps_for
from tasks.actions.windows import WindowsStep
from tasks.hostscript.control import ControlParser, Event
from tasks.hostscript.driver import HostRun, Invocation, Token
from tasks.hostscript.results import Progress
from tasks.hostscript.windows import WindowsScript

USER, PASSWORD = "deploy", "Tr0ub4dor-and-3"
MARKER = "ls-0123456789abcdef"


@dataclass
class WindowsHost:
    """A machine and one run on it."""

    machine: WindowsMachine
    steps: tuple[WindowsStep, ...]
    run_id: str = "r1"
    detached: bool = True

    @property
    def script(self) -> WindowsScript:
        """The run's script."""
        return WindowsScript(self.steps, detached=self.detached)

    def where(self, number: int = 1) -> HostRun:
        """The run, under token (1, ``number``)."""
        return HostRun(run_id=self.run_id, marker=MARKER, token=Token(epoch=1, number=number))

    @property
    def directory(self) -> Path:
        """The run directory, as the lab has it."""
        return self.machine.place(f"C:\\Users\\{USER}\\.longshore\\runs\\{self.run_id}")

    def started(self, invocation: Invocation) -> Process:
        """A process that carries out an invocation."""
        process = self.machine.start(invocation.command, user=USER)
        process.stdin.feed(invocation.stdin)
        return process

    def run_to_end(self, invocation: Invocation, *, offset: int = 0) -> list[Event]:
        """Everything that an invocation says."""
        return list(events_of(self.started(invocation), offset=offset))

    def progress(self, events: list[Event]) -> Progress:
        """How the run stands, by these events."""
        progress = Progress(self.steps)
        for event in events:
            progress.apply(event)
        return progress


def events_of(process: Process, *, offset: int = 0) -> Iterator[Event]:
    """What a driver says until it ends."""
    parser = ControlParser(MARKER, offset=offset)
    while True:
        parts = process.outputs.take(20.0)
        for stream, data in parts:
            assert stream == "stdout", data
            yield from parser.feed(data)
        if not parts:
            assert process.exit_code is not None
            return


def windows_steps(*actions: dict[str, Any], **parameters: str) -> tuple[WindowsStep, ...]:
    """Steps of these actions on Windows."""
    declared = {name: {"default": value} for name, value in parameters.items()}
    application = Application.model_validate(
        {"application": "shop", "parameters": declared, "actions": list(actions)}
    )
    steps = steps_for("windows", application, parameters, render=render)
    return tuple(step for step in steps if isinstance(step, WindowsStep))


def outputs_of(process: Process) -> tuple[str, str]:
    """What a process writes to standard output and standard error until it ends."""
    written: dict[str, bytes] = {"stdout": b"", "stderr": b""}
    while True:
        ended = process.ended.is_set()
        parts = process.outputs.take(20.0)
        for stream, data in parts:
            written[stream] += data
        if ended and not parts:
            return written["stdout"].decode(errors="replace"), written["stderr"].decode(errors="replace")
