"""cmd.exe of Debian's wine, for a machine on which the lab's own small part of it isn't enough.

Its prefix holds cmd.exe and what that needs, linked, and no other program of Wine's: many of those
(powershell, certutil, icacls, netsh, setx) answer success and do nothing. What isn't there is refused.
What a line says beyond ASCII comes out otherwise: Wine's cmd.exe leaves code pages alone.
"""

import os
import re
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from lab.programs import find_program
from lab.windows.machine import WindowsMachine
from lab.windows.processes import KilledError, Process, Stream

NOT_FOUND = 9009
_BUILTINS: Final = "/usr/lib/*-linux-gnu/wine/x86_64-windows"
_SERVERS: Final = "/usr/lib/wine/wineserver*"
_LINKED: Final = ("*.dll", "cmd.exe", "conhost.exe", "start.exe", "chcp.com")
_LOOK_SECONDS: Final = 0.1
_UNKNOWN: Final = re.compile(rb"Can't recognize '([^']*)' as an internal or external command")


class Wine:
    """A Wine for one machine, while this context lasts; its server ends with it."""

    def __init__(self, machine: WindowsMachine, directory: Path) -> None:
        """Nothing is made yet.

        Args:
            machine: the one whose drive C: it gets.
            directory: for the prefix; new.

        Raises:
            FileNotFoundError: wine is not installed.
        """
        self._machine = machine
        self._prefix = directory
        self._program = find_program("wine")

    def __enter__(self) -> Self:
        builtins = next(Path("/").glob(_BUILTINS[1:]), None)
        if builtins is None:
            raise FileNotFoundError("wine64 is not installed")
        (self._prefix / "dosdevices").mkdir(parents=True)
        (self._prefix / "dosdevices" / "c:").symlink_to(self._machine.drive)
        # Or else wine fills the prefix with all that it has, 700 MB in ten seconds.
        (self._prefix / ".update-timestamp").write_text("disable\n")
        system = self._machine.drive / "Windows" / "system32"
        system.mkdir(parents=True, exist_ok=True)
        for pattern in _LINKED:
            for each in builtins.glob(pattern):
                (system / each.name).symlink_to(each)
        self._tell_server("-p")
        # The first program brings up others, which keep its outputs open for as long as the server runs.
        subprocess.run(
            [self._program, "cmd", "/c", "exit"],
            env=self._environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=60,
        )
        self._machine.wine = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._machine.wine = None
        self._tell_server("-k")
        self._tell_server("-w")

    def _tell_server(self, what: str) -> None:
        server = min(Path("/").glob(_SERVERS[1:]))
        subprocess.run([server, what], env=self._environment({}), check=False, timeout=30)

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        return {
            **variables,
            "HOME": str(self._prefix),
            "LC_ALL": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "WINEDEBUG": "-all",
            "WINEPATH": "C:\\Windows\\system32",
            "WINEPREFIX": str(self._prefix),
        }

    def run_line(self, process: Process, line: str) -> int:
        """Run one line for a process of the machine; gives the exit code."""
        variables = {name: value for name, value in process.environment.items() if name != "PATH"}
        with subprocess.Popen(
            [self._program, "cmd", "/d", "/s", "/c", line],
            cwd=self._machine.place(process.directory),
            env=self._environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as wine:
            said = [_Reader(process, stream, pipe) for stream, pipe in _outputs(wine)]
            try:
                _wait(process, wine)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(wine.pid, signal.SIGKILL)
            for reader in said:
                reader.join()
        for unknown in (each.unknown for each in said if each.unknown):
            process.complain(f"the WinRM protocol lab's Wine has no {unknown!r}: the lab is no Windows")
            return NOT_FOUND
        return wine.returncode


def _wait(process: Process, wine: subprocess.Popen[bytes]) -> None:
    while wine.poll() is None:
        process.wait(_LOOK_SECONDS)


def _outputs(wine: subprocess.Popen[bytes]) -> list[tuple[Stream, IO[bytes]]]:
    assert wine.stdout is not None  # noqa: S101 - both are pipes
    assert wine.stderr is not None  # noqa: S101 - as above
    return [("stdout", wine.stdout), ("stderr", wine.stderr)]


class _Reader(threading.Thread):
    """Passes an output on, and looks for what cmd.exe didn't find.

    Attributes:
        unknown: the first command that it didn't find.
    """

    def __init__(self, process: Process, stream: Stream, pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._stream = stream
        self._pipe = pipe
        self.unknown = ""
        self.start()

    def run(self) -> None:
        with suppress(KilledError):
            for line in self._pipe:
                if (found := _UNKNOWN.search(line)) and not self.unknown:
                    self.unknown = found[1].decode(errors="replace").strip()
                self._process.outputs.write(self._stream, line)
