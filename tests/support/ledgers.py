"""A ledger on every host: what each step did, by the host's own account. The witness of the fault tests."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.windows.processes import Process, Program

WINDOWS_LEDGER = "C:\\ledger.txt"
WINDOWS_PROGRAM = "ledger"
_LINE = re.compile(r"(begin|end) (\d+) (\S+) (\d+) (\d+)")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a ledger.

    Attributes:
        word: ``begin`` or ``end``.
        step: counted from 1.
        attempt: when that attempt at the step began, in ms since 1970; tells attempts apart.
        at: when the line was written, in ms since 1970.
    """

    word: str
    step: int
    run_id: str
    attempt: int
    at: int

    @property
    def text(self) -> str:
        """As it stands in the ledger, and in what the step printed."""
        return f"{self.word} {self.step} {self.run_id} {self.attempt} {self.at}"


def ledgered(folder: Path, step: int, work: str, **fields: Any) -> dict[str, Any]:
    """An action whose beginning and end stand in the host's ledger, and in what it prints.

    Args:
        folder: of the ledgers; one file for each host.
        step: its number, from 1.
        work: shell text between the two.
        fields: further fields of the action.
    """
    ledger = f'"{folder}/$LONGSHORE_HOST.ledger"'
    now = "$(date +%s%3N)"
    begin = f'echo "begin {step} $LONGSHORE_RUN $began $began"'
    end = f'echo "end {step} $LONGSHORE_RUN $began $ended"'
    # Into the ledger first: what was printed and didn't come about would be the worse lie.
    lines = [
        f"began={now}",
        f"{begin} >> {ledger}; {begin}",
        work,
        f"ended={now}",
        f"{end} >> {ledger}; {end}",
    ]
    return {"name": f"step {step}", "run": "\n".join(lines), **fields}


def ledgered_on_windows(step: int, seconds: float, **fields: Any) -> dict[str, Any]:
    """The same on a machine on which ``ledger_program`` is installed; its work is to wait, and to tell.

    Args:
        step: its number, from 1.
        seconds: how long it works.
        fields: further fields of the action.
    """
    command = f"{WINDOWS_PROGRAM} {step} {seconds:g}"
    return {"name": f"step {step}", "run": command, "shell": "cmd", **fields}


def ledger_program(says: str) -> Callable[[str], Program]:
    """A program for stand-in Windows machines: a step with its number and how many seconds it works.

    Args:
        says: what it prints when it has worked, with variables of its environment as ``str.format`` has them.
    """

    def with_arguments(arguments: str) -> Program:
        step, seconds = arguments.split()

        def run(process: Process) -> int:
            began = _now()
            _tell(process, f"begin {step} {process.environment['LONGSHORE_RUN']} {began} {began}")
            process.wait(float(seconds))
            process.print(says.format(**process.environment))
            _tell(process, f"end {step} {process.environment['LONGSHORE_RUN']} {began} {_now()}")
            return 0

        return run

    return with_arguments


def _now() -> int:
    return int(time.time() * 1000)


def _tell(process: Process, line: str) -> None:
    with process.working(), process.machine.place(WINDOWS_LEDGER).open("a") as ledger:
        ledger.write(f"{line}\n")
    process.print(line)


def read_ledgers(folder: Path) -> dict[str, list[Line]]:
    """Host to the lines of its ledger, in order."""
    return {path.stem: lines_in(path.read_text()) for path in sorted(folder.glob("*.ledger"))}


def lines_in(text: str) -> list[Line]:
    """The ledger's lines in a text, which may have others besides."""
    found = [_LINE.fullmatch(line) for line in text.splitlines()]
    return [
        Line(word=each[1], step=int(each[2]), run_id=each[3], attempt=int(each[4]), at=int(each[5]))
        for each in found
        if each
    ]


def of_runs(ledgers: Mapping[str, Sequence[Line]], run_ids: Iterable[str]) -> dict[str, list[Line]]:
    """The same ledgers with the lines of these runs only."""
    wanted = set(run_ids)
    return {host: [line for line in lines if line.run_id in wanted] for host, lines in ledgers.items()}
