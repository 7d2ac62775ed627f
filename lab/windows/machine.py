"""A stand-in Windows host: what is left of it when no connection is open."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lab.windows import paths
from lab.windows.processes import InputPipe, Process, ProcessTable, Program, filetime

if TYPE_CHECKING:
    from lab.windows.wine import Wine

ADMINISTRATOR = "Administrator"


@dataclass
class Service:
    """A Windows service."""

    running: bool = False
    start_type: str = "Manual"
    allowed: bool = True


@dataclass
class Iis:
    """Sites and application pools by name, and whether they run; ``recycled`` counts how often a pool was."""

    sites: dict[str, bool] = field(default_factory=dict)
    app_pools: dict[str, bool] = field(default_factory=dict)
    recycled: dict[str, int] = field(default_factory=dict)


@dataclass(kw_only=True)
class Trouble:
    """What can be wrong with a machine; a test or a demo switches it.

    Attributes:
        disk_full: nothing can be written.
        wmi_refused: WMI refuses the login.
        powershell_seconds: how long PowerShell takes to start.
    """

    disk_full: bool = False
    wmi_refused: bool = False
    powershell_seconds: float = 0.0


class WindowsMachine:
    """One machine.

    Attributes:
        name: its host name.
        drive: the folder that plays drive C:.
        passwords: by user.
        processes: all that run on it.
        programs: that somebody has installed, by name in lower case without ``.exe``, given their arguments.
        services: by name in lower case.
        iis: None where IIS isn't installed.
        booted: seconds since 1970 of its last start.
        boots: how often it has started.
        wine: what runs cmd.exe's lines instead of the lab; mostly nothing.
    """

    def __init__(self, name: str, directory: Path, *, passwords: Mapping[str, str]) -> None:
        self.name = name
        self.drive = directory / "C"
        self.passwords = dict(passwords)
        self.processes = ProcessTable()
        self.programs: dict[str, Callable[[str], Program]] = {}
        self.services: dict[str, Service] = {}
        self.iis: Iis | None = None
        self.trouble = Trouble()
        self.booted = time.time() - 3600
        self.boots = 1
        self._power = threading.Lock()
        self.wine: Wine | None = None
        for user in self.passwords:
            (self.drive / "Users" / bare(user)).mkdir(parents=True, exist_ok=True)
        (self.drive / "Windows" / "Temp").mkdir(parents=True, exist_ok=True)

    def accepts(self, user: str, password: str) -> bool:
        """Whether this is a user's password; names of users have no case."""
        known = {bare(name).lower(): word for name, word in self.passwords.items()}
        return known.get(bare(user).lower()) == password

    def profile(self, user: str) -> str:
        """A user's folder."""
        return f"C:\\Users\\{bare(user)}"

    def environment(self, user: str) -> dict[str, str]:
        """The variables of a user's login."""
        return {
            "COMPUTERNAME": self.name.upper(),
            "COMSPEC": "C:\\Windows\\system32\\cmd.exe",
            "OS": "Windows_NT",
            "PATH": "C:\\Windows\\system32;C:\\Windows",
            "SYSTEMROOT": "C:\\Windows",
            "TEMP": "C:\\Windows\\Temp",
            "TMP": "C:\\Windows\\Temp",
            "USERNAME": bare(user),
            "USERPROFILE": self.profile(user),
        }

    def start(
        self,
        command_line: str,
        *,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
        user: str = "",
        parent: int = 0,
        stdin: InputPipe | None = None,
    ) -> Process:
        """Start what a command line names.

        Args:
            command_line: as ``CreateProcess`` takes it.
            environment: variables besides those of the login, or in their place.
            directory: where it starts; the user's profile when absent.
            user: whose login it is; the first of the machine's users when empty.
            parent: number of the process that starts it.
            stdin: standard input that it shares with that one; its own when absent.
        """
        from lab.windows.programs import program_of  # noqa: PLC0415 - programs start processes, and so need machines

        login = user or next(iter(self.passwords), ADMINISTRATOR)
        variables = self.environment(login) | {
            name.upper(): value for name, value in (environment or {}).items()
        }
        return self.launch(
            program_of(command_line, self.programs),
            command_line=command_line,
            environment=variables,
            directory=directory or self.profile(login),
            parent=parent,
            stdin=stdin,
        )

    def launch(
        self,
        program: Program,
        *,
        command_line: str,
        environment: dict[str, str],
        directory: str,
        parent: int,
        stdin: InputPipe | None = None,
    ) -> Process:
        """Start a program of the lab.

        Raises:
            KilledError: the process that starts it has ended.
        """
        # A process that is being killed starts no other: either its child is there to be found, or never is.
        with self._power, self.processes.named(parent).working() if parent else nullcontext():
            pid, started = self.processes.number_and_start()
            process = Process(
                self,
                pid=pid,
                started=started,
                parent=parent,
                command_line=command_line,
                environment=environment,
                directory=directory,
                stdin=stdin,
            )
            self.processes.add(process)
        process.run(program)
        return process

    def reboot(self) -> None:
        """End every process; what is on the disk stays."""
        with self._power:
            # First: whoever finds another process gone must not take it for one that was ended.
            self.booted = time.time()
            self.boots += 1
            for process in self.processes.running():
                process.kill()

    def rebooted_since(self, started: int) -> bool:
        """Whether a process that was started then is from before the last start."""
        return started < filetime(self.booted)

    def place(self, path: str, directory: str = "C:\\") -> Path:
        r"""Where a Windows path lies, relative ones from ``directory`` on.

        Raises:
            PathError: this machine doesn't have such a path.
        """
        return paths.find(self.drive, paths.parts_of(path, directory))

    def full_path(self, path: str, directory: str) -> str:
        """A path in full."""
        return paths.joined(paths.parts_of(path, directory))

    def written(self) -> None:
        """Called before anything is written.

        Raises:
            OSError: the disk is full.
        """
        if self.trouble.disk_full:
            raise OSError(28, "There is not enough space on the disk.")


def bare(user: str) -> str:
    r"""A user without its domain: ``DOMAIN\user`` or ``user@domain``."""
    return user.rsplit("\\", 1)[-1].split("@", 1)[0]
