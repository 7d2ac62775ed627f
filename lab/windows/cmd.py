"""A small part of cmd.exe: the commands that are named, and a loud refusal of every other."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.windows import paths
from lab.windows.cmd_commands import COMMANDS, ExitError
from lab.windows.cmd_language import (
    Command,
    Redirection,
    UnknownError,
    commands,
    condition,
    expanded,
    expanded_in_batch,
)
from lab.windows.processes import Process, Program, Stream

NOT_FOUND = 9009
_DEEPEST = 16
_ARGUMENTS = re.compile(r"^\s*(?:/[dsq]\s+)*/c\s*(.*)$", re.IGNORECASE | re.DOTALL)
_PROGRAMS = frozenset({"cmd", "powershell"})
_STREAMS: dict[int, Stream] = {1: "stdout", 2: "stderr"}


def program(arguments: str) -> Program:
    """``cmd.exe`` with these arguments: ``/c`` and a line."""

    def run(process: Process) -> int:
        found = _ARGUMENTS.match(arguments)
        if found is None:
            process.complain("the WinRM protocol lab knows cmd.exe with /c only")
            return NOT_FOUND
        line = found[1].strip()
        if len(line) > 1 and line.startswith('"') and line.endswith('"'):
            line = line[1:-1]
        wine = process.machine.wine
        return wine.run_line(process, line) if wine else run_line(process, line)

    return run


def run_line(process: Process, line: str) -> int:
    """Carry out one line as ``cmd /c`` does; gives the exit code.

    What the lab doesn't know ends all of it, with exit code 9009: nothing that follows could be trusted.
    """
    session = Session(process)
    try:
        _line(session, expanded(line, session.variables))
    except ExitError as end:
        return end.code
    except UnknownError as unknown:
        process.complain(f"the WinRM protocol lab doesn't know {unknown} of cmd.exe, and is no Windows")
        return NOT_FOUND
    return session.level


@dataclass
class Session:
    """What one cmd.exe knows.

    Attributes:
        level: the error level.
        depth: batch files that call each other.
        sinks: where outputs 1 and 2 go: a stream, a path on the machine, or None for nowhere.
    """

    process: Process
    level: int = 0
    depth: int = 0
    sinks: dict[int, Stream | str | None] = field(default_factory=lambda: dict(_STREAMS))

    @property
    def variables(self) -> dict[str, str]:
        """The environment, and what cmd.exe adds."""
        process = self.process
        return {**process.environment, "ERRORLEVEL": str(self.level), "CD": process.directory}

    def place(self, path: str) -> Path:
        """A path, from where this session is."""
        return self.process.machine.place(path, self.process.directory)

    def say(self, line: str) -> None:
        """A line to output 1."""
        self.write(1, f"{line}\r\n".encode())

    def complain(self, line: str) -> None:
        """A line to output 2."""
        self.write(2, f"{line}\r\n".encode())

    def write(self, handle: int, data: bytes) -> None:
        """Bytes to an output."""
        match self.sinks[handle]:
            case None:
                return
            case "stdout" | "stderr" as stream:
                self.process.outputs.write(stream, data)
            case path:
                with self.process.working():
                    self.process.machine.written()
                    with self.place(path).open("ab") as file:
                        file.write(data)

    @contextmanager
    def redirected(self, redirections: list[Redirection]) -> Iterator[None]:
        """Outputs go elsewhere, as a command says."""
        before = dict(self.sinks)
        try:
            for each in redirections:
                self.sinks[each.handle] = self._sink(each)
            yield
        finally:
            self.sinks = before

    def _sink(self, redirection: Redirection) -> Stream | str | None:
        if redirection.target.startswith("&"):
            return self.sinks[int(redirection.target[1])]
        if redirection.target.lower() == "nul":
            return None
        path = self.process.machine.full_path(redirection.target, self.process.directory)
        with self.process.working():
            self.process.machine.written()
            self.place(path).open("ab" if redirection.append else "wb").close()
        return path


def _line(session: Session, line: str) -> None:
    text = line.strip().removeprefix("@").lstrip()
    if found := re.match(r"if\s+(.*)$", text, re.IGNORECASE | re.DOTALL):
        asked = condition(found[1])
        if asked.level is not None:
            holds = session.level >= asked.level
        elif asked.path is not None:
            holds = session.place(asked.path).exists()
        elif asked.name is not None:
            holds = asked.name.upper() in session.variables
        else:
            holds = asked.left == asked.right
        if holds != asked.negated:
            _line(session, asked.rest)
        return
    for command in commands(text):
        session.process.check()
        skipped = {"&&": session.level != 0, "||": session.level == 0}
        if not skipped.get(command.operator, False):
            _run(session, command)


def _run(session: Session, command: Command) -> None:
    text = command.text.lstrip().removeprefix("@").lstrip()
    try:
        with session.redirected(command.redirections):
            level = _carry_out(session, text) if text else None
    except (paths.PathError, OSError) as error:
        session.complain(str(getattr(error, "strerror", None) or error))
        level = 1
    if level is not None:
        session.level = level


def _carry_out(session: Session, text: str, *, called: bool = False) -> int | None:
    # A command of cmd.exe's own ends at a dot, a colon or a slash too: ``echo.``, ``cd..``, ``exit/b``.
    word = re.match(r"[^\s./:]*", text)[0].lower()  # type: ignore[index]  # it matches nothing at least
    rest = text[len(word) :]
    if word == "call":
        return _carry_out(session, rest.strip(), called=True)
    if (carry_out := COMMANDS.get(word)) is not None:
        return carry_out(session, rest)
    whole = re.match(r'("[^"]+"|\S+)\s*(.*)$', text, re.DOTALL)
    path, arguments = (whole[1], whole[2]) if whole else (text, "")
    if path.lower().removesuffix(".exe") in {*_PROGRAMS, *session.process.machine.programs}:
        return _child(session, text)
    file = _batch_file(session, path.strip('"'))
    if file is None:
        raise UnknownError(f"the command {path!r}")
    _batch(session, file, re.findall(r'"[^"]*"|[^\s,;=]+', arguments))
    if session.depth and not called:
        # Without ``call`` a batch file hands over to another, and doesn't get control back.
        raise ExitError(session.level, whole=False)
    return session.level


def _child(session: Session, line: str) -> int:
    process = session.process
    child = process.machine.start(
        line,
        environment=process.environment,
        directory=process.directory,
        parent=process.pid,
        stdin=process.stdin,
    )
    while True:
        ended = child.ended.is_set()
        parts = child.outputs.take(0.1)
        process.check()
        for stream, data in parts:
            session.write(1 if stream == "stdout" else 2, data)
        if ended and not parts and child.exit_code is not None:
            return child.exit_code


def _batch_file(session: Session, path: str) -> str | None:
    for candidate in (path, f"{path}.bat", f"{path}.cmd"):
        if candidate.lower().endswith((".cmd", ".bat")) and session.place(candidate).is_file():
            return session.process.machine.full_path(candidate, session.process.directory)
    return None


def _batch(session: Session, file: str, arguments: list[str]) -> None:
    if session.depth >= _DEEPEST:
        raise UnknownError("batch files that call each other without end")
    session.depth += 1
    try:
        for line in session.place(file).read_text(encoding="utf-8-sig").splitlines():
            text = line.strip()
            if text.endswith("^"):
                raise UnknownError("a command over several lines")
            if text and not text.startswith(":"):
                _line(session, expanded_in_batch(text, session.variables, [file, *arguments]))
    except ExitError as end:
        if end.whole:
            raise
        session.level = end.code
    finally:
        session.depth -= 1
