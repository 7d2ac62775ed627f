"""Processes of a stand-in Windows host: programs in threads, with pipes, that can be killed at any moment."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lab.windows.machine import WindowsMachine

Stream = Literal["stdout", "stderr"]
KILLED_EXIT_CODE = 1
_FILETIME_EPOCH = 116_444_736_000_000_000
_MOST_BUFFERED = 256 * 1024
_GLANCE_SECONDS = 0.2


class KilledError(Exception):
    """The process that does this has been ended."""


class InputPipe:
    """Standard input of a process."""

    def __init__(self) -> None:
        self._data: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._changed = threading.Condition()

    def feed(self, data: bytes) -> None:
        """Give the process more input."""
        with self._changed:
            self._data.append(data)
            self._size += len(data)
            self._changed.notify_all()

    def has_room(self, timeout: float) -> bool:
        """Whether little is left unread, at the latest after ``timeout`` seconds; whoever feeds may ask."""
        with self._changed:
            return self._changed.wait_for(lambda: self._size < _MOST_BUFFERED or self._ended, timeout)

    def end(self) -> None:
        """There is no more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def read(self, most: int) -> bytes:
        """Up to ``most`` bytes, at least one; ``b""`` at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._data or self._ended)
            if not self._data:
                return b""
            first = self._data.popleft()
            if len(first) > most:
                self._data.appendleft(first[most:])
            taken = first[:most]
            self._size -= len(taken)
            self._changed.notify_all()
            return taken

    def read_exactly(self, count: int) -> bytes:
        """``count`` bytes, or fewer where the input ends before."""
        parts, left = [], count
        while left and (data := self.read(left)):
            parts.append(data)
            left -= len(data)
        return b"".join(parts)


class OutputPipe:
    """Standard output and standard error of a process, in the order in which they were written."""

    def __init__(self, ended: threading.Event) -> None:
        self._parts: deque[tuple[Stream, bytes]] = deque()
        self._size = 0
        self._ended = ended
        self._changed = threading.Condition()

    def write(self, stream: Stream, data: bytes) -> None:
        """Write; a reader that doesn't read holds the writer up."""
        with self._changed:
            while self._size > _MOST_BUFFERED and not self._ended.is_set():
                self._changed.wait(_GLANCE_SECONDS)
            if self._ended.is_set():
                raise KilledError
            if data:
                self._parts.append((stream, data))
                self._size += len(data)
                self._changed.notify_all()

    def take(self, timeout: float) -> list[tuple[Stream, bytes]]:
        """What is there, once there is something; nothing when it has ended, or after ``timeout``."""
        with self._changed:
            self._changed.wait_for(lambda: self._parts or self._ended.is_set(), timeout)
            taken, self._size = list(self._parts), 0
            self._parts.clear()
            self._changed.notify_all()
            return taken

    def wake(self) -> None:
        """Let readers and writers see that the process has ended."""
        with self._changed:
            self._changed.notify_all()


class Process:
    """One process.

    Attributes:
        pid: its number.
        started: the moment of its start, as a Windows FILETIME; no two are the same.
        parent: number of the process that made it; 0 for the system.
        command_line: as it was started.
        environment: its variables, by name in upper case.
        directory: where it is, as a Windows path.
        exit_code: None while it runs.
        ended: set once it has ended or was killed.
    """

    def __init__(
        self,
        machine: "WindowsMachine",
        *,
        pid: int,
        started: int,
        parent: int,
        command_line: str,
        environment: dict[str, str],
        directory: str,
        stdin: InputPipe | None = None,
    ) -> None:
        self.machine = machine
        self.pid = pid
        self.started = started
        self.parent = parent
        self.command_line = command_line
        self.environment = environment
        self.directory = directory
        self.exit_code: int | None = None
        self.ended = threading.Event()
        self.stdin = stdin or InputPipe()
        self._shares_input = stdin is not None
        self.outputs = OutputPipe(self.ended)
        self._effects = threading.RLock()

    def run(self, program: "Program") -> None:
        """Run ``program`` in a thread of its own, to its end."""
        threading.Thread(target=self._carry_out, args=(program,), daemon=True, name=f"pid {self.pid}").start()

    def _carry_out(self, program: "Program") -> None:
        try:
            code = program(self)
        except KilledError:
            return
        except Exception as error:  # noqa: BLE001 - a program that breaks must not look like one that hangs
            self._complain(f"the WinRM protocol lab broke: {error!r}\n")
            code = 1
        self._end(code)

    def _complain(self, text: str) -> None:
        try:
            self.outputs.write("stderr", text.encode())
        except KilledError:
            return

    def _end(self, code: int) -> None:
        with self._effects:
            if self.exit_code is None:
                self.exit_code = code & 0xFFFFFFFF
                self.ended.set()
        if not self._shares_input:
            self.stdin.end()
        self.outputs.wake()

    def kill(self) -> None:
        """End it; from the moment in which this returns it does nothing any more."""
        self._end(KILLED_EXIT_CODE)

    @contextmanager
    def working(self) -> Iterator[None]:
        """For whatever has an effect: it is whole, and doesn't happen once the process is killed."""
        with self._effects:
            if self.ended.is_set():
                raise KilledError
            yield

    def wait(self, seconds: float) -> None:
        """Let time pass; ends at once when it is killed."""
        if self.ended.wait(max(0.0, seconds)):
            raise KilledError

    def check(self) -> None:
        """Raise KilledError once it was killed."""
        if self.ended.is_set():
            raise KilledError

    def print(self, text: str) -> None:
        """Write a line to standard output."""
        self.outputs.write("stdout", f"{text}\r\n".encode())

    def complain(self, text: str) -> None:
        """Write a line to standard error."""
        self.outputs.write("stderr", f"{text}\r\n".encode())


Program = Callable[[Process], int]
"""What a process runs; gives the exit code."""


def filetime(seconds: float) -> int:
    """A moment as Windows counts it, from seconds since 1970."""
    return int(seconds * 10_000_000) + _FILETIME_EPOCH


class ProcessTable:
    """All processes of one machine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: dict[int, Process] = {}
        self._next = 1000
        self._last_start = 0

    def number_and_start(self) -> tuple[int, int]:
        """A number for a new process, and a moment that no other has."""
        with self._lock:
            self._next += 4
            self._last_start = max(self._last_start + 1, filetime(time.time()))
            return self._next, self._last_start

    def add(self, process: Process) -> None:
        """Take a process in; those that have ended are forgotten once nobody descends from them."""
        with self._lock:
            parents = {each.parent for each in self._processes.values() if each.exit_code is None}
            for pid in [pid for pid, each in self._processes.items() if each.exit_code is not None]:
                if pid not in parents:
                    del self._processes[pid]
            self._processes[process.pid] = process

    def running(self) -> list[Process]:
        """Those that run."""
        with self._lock:
            return [each for each in self._processes.values() if each.exit_code is None]

    def named(self, pid: int) -> Process:
        """The process of this number.

        Raises:
            KilledError: it has ended, and is forgotten.
        """
        with self._lock:
            if pid not in self._processes:
                raise KilledError
            return self._processes[pid]

    def alive(self, pid: int, started: int) -> bool:
        """Whether this very process runs."""
        with self._lock:
            process = self._processes.get(pid)
        return process is not None and process.exit_code is None and process.started == started

    def tree(self, pid: int, started: int) -> list[Process]:
        """The process itself, while it runs, and those that run and descend from it."""
        running = self.running()
        found = [each for each in running if each.pid == pid and each.started == started]
        parents = {pid}
        while parents:
            children = [
                each
                for each in running
                if each.parent in parents and each not in found and each.started >= started
            ]
            found += children
            parents = {each.pid for each in children}
        return found

    def kill_tree(self, pid: int, started: int) -> list[Process]:
        """End a tree, its root first; those that are left."""
        while left := self.tree(pid, started):
            for each in left:
                each.kill()
        return self.tree(pid, started)
