"""Which program of the lab a command line names."""

import re
from collections.abc import Callable, Mapping

from lab.windows import cmd, powershell
from lab.windows.processes import Process, Program

_FIRST_WORD = re.compile(r'^\s*(?:"([^"]+)"|(\S+))\s*(.*)$', re.DOTALL)
NOT_FOUND = 9009


def program_of(command_line: str, installed: Mapping[str, Callable[[str], Program]]) -> Program:
    """The program, given its arguments; one that is not known says so, and fails.

    Args:
        command_line: as ``CreateProcess`` takes it.
        installed: programs besides Windows' own, by name in lower case without ``.exe``.
    """
    found = _FIRST_WORD.match(command_line)
    if found is None:
        return _unknown("")
    name = (found[1] or found[2]).replace("/", "\\").rsplit("\\", 1)[-1].lower().removesuffix(".exe")
    maker = _PROGRAMS.get(name) or installed.get(name)
    return _unknown(name) if maker is None else maker(found[3])


def _unknown(name: str) -> Program:
    def refuse(process: Process) -> int:
        process.complain(f"the WinRM protocol lab doesn't know the program {name!r}, and is no Windows")
        return NOT_FOUND

    return refuse


_PROGRAMS: dict[str, Callable[[str], Program]] = {"cmd": cmd.program, "powershell": powershell.program}
