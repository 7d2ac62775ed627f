"""Windows Remote Shells, their commands, and when they end."""

import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from lab.windows.machine import WindowsMachine
from lab.windows.processes import Process, Stream
from lab.winrm import faults

_LONGEST_LINE: Final = (
    8191  # cmd.exe's; a line that needs no cmd.exe may have 32,767, but nobody should rely on it
)
_CONTROL_C: Final = 0xC000013A
_WAIT_LIMIT: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Received:
    """What a command has to tell.

    Attributes:
        parts: its output, in order.
        exit_code: None while it runs, or while there is more output than was asked for.
    """

    parts: tuple[tuple[Stream, bytes], ...]
    exit_code: int | None


@dataclass(eq=False)
class Command:
    """A command in a shell."""

    process: Process
    _left: deque[tuple[Stream, bytes]] = field(default_factory=deque, init=False)
    _input_ended: bool = field(default=False, init=False)
    _interrupted: bool = field(default=False, init=False)
    _told: bool = field(default=False, init=False)
    _receiving: threading.Lock = field(default_factory=threading.Lock, init=False)

    def send(self, data: bytes, seconds: float, *, end: bool) -> None:
        """Give it input; waits until it has read most of what it was given before.

        Raises:
            faults.Fault: it takes no more input, or didn't read for ``seconds``.
        """
        if self._input_ended or self.process.ended.is_set():
            raise faults.pipe_closed()
        if not self.process.stdin.has_room(min(seconds, _WAIT_LIMIT)):
            raise faults.operation_timeout()
        if data:
            self.process.stdin.feed(data)
        if end:
            self._input_ended = True
            self.process.stdin.end()

    def receive(self, most: int, seconds: float) -> Received:
        """Up to ``most`` bytes of output, once there is any, or the end.

        Raises:
            faults.Fault: there was nothing for ``seconds``, or the end was told already.
        """
        with self._receiving:
            if self._told:
                raise faults.unknown_command()
            if not self._left:
                self._left.extend(self.process.outputs.take(min(seconds, _WAIT_LIMIT)))
            ended = self.process.ended.is_set()
            if ended:
                self._left.extend(self.process.outputs.take(0))
            parts = tuple(_take(self._left, most))
            self._told = ended and not self._left
            if not parts and not self._told:
                raise faults.operation_timeout()
            return Received(parts, self._exit_code() if self._told else None)

    def interrupt(self) -> None:
        """Ctrl+C."""
        self._interrupted = not self.process.ended.is_set()
        self.kill()

    def kill(self) -> None:
        """End it and what it has started."""
        self.process.machine.processes.kill_tree(self.process.pid, self.process.started)

    def _exit_code(self) -> int:
        return _CONTROL_C if self._interrupted else self.process.exit_code or 0


class Shell:
    """One shell.

    Attributes:
        shell_id: a GUID in capitals.
        user: whose it is.
        idle_seconds: after how long without a request it ends.
        begun: how many commands were.
    """

    def __init__(
        self,
        machine: WindowsMachine,
        *,
        shell_id: str,
        user: str,
        environment: Mapping[str, str],
        directory: str,
        idle_seconds: float,
        lifetime: float,
    ) -> None:
        self._machine = machine
        self.shell_id = shell_id
        self.user = user
        self.idle_seconds = idle_seconds
        self.begun = 0
        self.ended = threading.Event()
        self._environment = dict(environment)
        self._directory = directory or None
        self._dies = time.monotonic() + lifetime
        self._used = time.monotonic()
        self._operations = 0
        self._commands: dict[str, Command] = {}
        self._lock = threading.Lock()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """For the time of a request: the shell isn't idle."""
        with self._lock:
            self._operations += 1
        try:
            yield
        finally:
            with self._lock:
                self._operations -= 1
                self._used = time.monotonic()

    def seconds_left(self) -> float:
        """How long it lives if nobody asks it anything."""
        now = time.monotonic()
        with self._lock:
            idle = self.idle_seconds if self._operations else self._used + self.idle_seconds - now
        return min(idle, self._dies - now)

    def run(self, line: str, command_id: str, *, by_cmd: bool) -> str:
        """Start a command; gives its id.

        Args:
            line: the command line.
            command_id: as which it goes; empty has one made.
            by_cmd: whether it goes through ``cmd.exe /c``.

        Raises:
            faults.Fault: the line is too long, or the shell is over.
        """
        command_id = command_id or str(uuid.uuid4()).upper()
        with self._lock:
            if self.ended.is_set():
                raise faults.unknown_shell(self.shell_id)
            self._commands[command_id] = Command(self._start(line, by_cmd=by_cmd))
            self.begun += 1
        return command_id

    def command(self, command_id: str) -> Command:
        """The command of this id.

        Raises:
            faults.Fault: there is none.
        """
        with self._lock:
            found = self._commands.get(command_id)
        if found is None:
            raise faults.unknown_command()
        return found

    def terminate(self, command_id: str) -> None:
        """End a command for good: the shell knows it no longer."""
        self.command(command_id).kill()
        with self._lock:
            self._commands.pop(command_id, None)

    def end(self) -> None:
        """End the shell, and all that was started in it."""
        with self._lock:
            self.ended.set()
            commands = list(self._commands.values())
            self._commands.clear()
        for each in commands:
            each.kill()

    def _start(self, line: str, *, by_cmd: bool) -> Process:
        if len(line) > _LONGEST_LINE:
            if not by_cmd:
                raise faults.line_too_long()
            return self._machine.launch(
                _too_long,
                command_line="cmd.exe",
                environment=self._machine.environment(self.user),
                directory=self._directory or self._machine.profile(self.user),
                parent=0,
            )
        return self._machine.start(
            f'cmd.exe /c "{line}"' if by_cmd else line,
            environment=self._environment,
            directory=self._directory,
            user=self.user,
        )


class Shells:
    """The shells of one machine, all of its users'."""

    def __init__(self, machine: WindowsMachine) -> None:
        self._machine = machine
        self._shells: dict[str, Shell] = {}
        self._lock = threading.Lock()

    def open(self, shell: Shell, limit: int) -> None:
        """Take a new shell in, and end it when its time is over.

        Raises:
            faults.Fault: its user has ``limit`` shells already.
        """
        with self._lock:
            if sum(each.user == shell.user for each in self._shells.values()) >= limit:
                raise faults.too_many_shells(limit)
            self._shells[shell.shell_id] = shell
        threading.Thread(target=self._watch, args=(shell,), daemon=True, name="shell's end").start()

    def find(self, shell_id: str, user: str) -> Shell:
        """A user's shell.

        Raises:
            faults.Fault: there is none of this id, or it is another user's.
        """
        with self._lock:
            shell = self._shells.get(shell_id)
        if shell is None:
            raise faults.unknown_shell(shell_id)
        if shell.user != user:
            raise faults.access_denied()
        return shell

    def begun(self, user: str) -> int:
        """How many commands a user has begun in the shells that are open."""
        with self._lock:
            return sum(each.begun for each in self._shells.values() if each.user == user)

    def end(self, shell: Shell) -> None:
        """End a shell."""
        with self._lock:
            self._shells.pop(shell.shell_id, None)
        shell.end()

    def forget(self) -> None:
        """End all of them."""
        with self._lock:
            shells = list(self._shells.values())
        for each in shells:
            self.end(each)

    def __len__(self) -> int:
        with self._lock:
            return len(self._shells)

    def _watch(self, shell: Shell) -> None:
        while (left := shell.seconds_left()) > 0:
            if shell.ended.wait(min(left, _WAIT_LIMIT)):
                return
        self.end(shell)


def _too_long(process: Process) -> int:
    process.complain("The command line is too long.")
    return 1


def _take(parts: deque[tuple[Stream, bytes]], most: int) -> Iterator[tuple[Stream, bytes]]:
    while parts and most > 0:
        stream, data = parts.popleft()
        if len(data) > most:
            parts.appendleft((stream, data[most:]))
        yield stream, data[:most]
        most -= len(data)
