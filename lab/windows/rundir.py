"""A run's directory on a stand-in Windows host: claims, tokens, state.

The contract is docs/reference/host-script-windows.md.
"""

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab.windows.paths import PathError
from lab.windows.processes import Process
from lab.windows.units import Data

if TYPE_CHECKING:
    from lab.windows.machine import WindowsMachine

BUSY, FAILED, REFUSED, ALIVE = 75, 69, 76, 77
_DISK_FULL = 28


class SaidError(Exception):
    """The driver's last word, and its exit code."""

    def __init__(self, code: int, line: str) -> None:
        super().__init__(line)
        self.code = code
        self.line = line


class RunDirectory:
    """One run on one machine, for one process that looks at it.

    Attributes:
        state: how it stands, once ``look`` was called.
        word: what is said besides.
        size: bytes in its log.
        attempt: its newest attempt; 0 where there is none.
        runner: number and start of that attempt's process.
    """

    def __init__(self, process: Process, data: Data) -> None:
        self.process = process
        self.machine: WindowsMachine = process.machine
        self.data = data
        profile = process.environment["USERPROFILE"]
        try:
            self.work = self.machine.place(data["work"], profile)
            self.work_path = self.machine.full_path(data["work"], profile)
        except PathError as error:
            raise SaidError(FAILED, f"fail workdir {error}") from None
        self.path = f"{self.work_path}\\runs\\{data['run']}"
        self.place = self.work / "runs" / str(data["run"])
        self.state, self.word, self.size, self.attempt = "new", "", 0, 0
        self.runner = (0, 0)

    def enter(self) -> None:
        """Into the directory, as the one who holds this token.

        Raises:
            SaidError: it can't be used, or a larger token was there.
        """
        mine = (self.data["epoch"], self.data["number"])
        try:
            with self.process.working():
                if not self.place.is_dir():
                    self.machine.written()
                    self.place.mkdir(parents=True)
            self.claim(f"token.{mine[0]}.{mine[1]}", "")
        except OSError as error:
            raise unwritable(error) from None
        for each in self.place.glob("token.*"):
            found = re.fullmatch(r"token\.(\d+)\.(\d+)", each.name)
            if found and (other := (int(found[1]), int(found[2]))) > mine:
                raise SaidError(REFUSED, f"refused {other[0]} {other[1]}")

    def claim(self, name: str, text: str) -> bool:
        """Make a file with this text at once; False when it is there already."""
        return self.claim_at(self.place / name, text)

    def claim_at(self, place: Path, text: str) -> bool:
        """As ``claim``, anywhere."""
        with self.process.working():
            part = place.with_name(f"{place.name}.{self.process.pid}.part")
            if place.exists():
                return False
            self.machine.written()
            part.write_text(text)
            try:
                os.link(part, place)
            except FileExistsError:
                return False
            finally:
                part.unlink()
        return True

    def look(self) -> None:
        """Read how the run stands."""
        numbers = [int(each.name[3:]) for each in self.place.glob("go.*") if each.name[3:].isdigit()]
        self.state, self.word, self.size, self.attempt = "new", "", 0, max(numbers, default=0)
        if not self.attempt:
            return
        words = (self.place / f"go.{self.attempt}").read_text().split()
        finish = self.place / "finish"
        if words[0] == "cancelled":
            self.state = "cancelled"
        else:
            self.runner = (int(words[0]), int(words[1]))
            if finish.exists():
                self.state = "finished"
            elif self.machine.processes.alive(*self.runner):
                self.state = "running"
            elif finish.exists():
                self.state = "finished"
            else:
                self._gone()
        log = self.place / "log"
        self.size = log.stat().st_size if log.exists() else 0

    def _gone(self) -> None:
        self.state = "gone"
        if self.machine.rebooted_since(self.runner[1]):
            self.word = "rebooted"
            return
        orphans = [str(each.pid) for each in self.machine.processes.tree(*self.runner)]
        self.word = f"orphans {' '.join(orphans)}" if orphans else "killed"

    @property
    def status(self) -> str:
        """The status line."""
        return f"status {self.state} {self.size} {self.word}"

    def say(self, line: str) -> None:
        """A control line on the driver's output."""
        self.process.outputs.write("stdout", control(self.data["marker"], line))


def control(marker: str, line: str) -> bytes:
    """A control line."""
    return f"\n{marker} {' '.join(line.split())}\n".encode()


def unwritable(error: OSError) -> SaidError:
    """The last word about a write that failed."""
    cause = "disk_full" if error.errno == _DISK_FULL else "workdir"
    return SaidError(FAILED, f"fail {cause} {error.strerror or error}")


def uptime() -> str:
    """Seconds since this machine started."""
    return f"{time.monotonic():.2f}"
