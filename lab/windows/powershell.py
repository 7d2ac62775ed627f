"""A small part of powershell.exe: the host script by its units, a few plain lines; it refuses all else."""

import base64
import binascii
import re
from collections.abc import Callable

from lab.windows import hostscript, paths
from lab.windows.processes import Process, Program
from lab.windows.units import UnknownUnitError, is_bootstrap

_READS_NOTHING = re.compile(r"-inputformat\s+none\b", re.IGNORECASE)
_ENCODED = re.compile(r"-e(?:nc|ncodedcommand)?\s+(\S+)\s*$", re.IGNORECASE)
_COMMAND = re.compile(r"-c(?:ommand)?\s+(.*)$", re.IGNORECASE | re.DOTALL)
_FILE = re.compile(r'-f(?:ile)?\s+(?:"([^"]+)"|(\S+))\s*$', re.IGNORECASE)
# The unit that runs a condition sees to it that an error in it is no answer, which 1 would be.
_CONDITION = re.compile(r'\\when\.\d+\.ps1"?\s*$')
_STRING = r"(?:'(?P<single>(?:[^']|'')*)'|\"(?P<double>[^\"`]*)\"|(?P<bare>[^\s'\";|&<>()]+))"
_REFUSED = (
    "the WinRM protocol lab runs no PowerShell but Longshore's units and a few plain lines; it doesn't know: "
)


class ThrownError(Exception):
    """``throw``, or a line that the lab doesn't know."""


class LeftError(Exception):
    """``exit``."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def program(arguments: str) -> Program:
    """``powershell.exe`` with these arguments."""

    def run(process: Process) -> int:
        process.wait(process.machine.trouble.powershell_seconds)
        text = _text_of(process, arguments)
        if not is_bootstrap(text):
            return run_text(
                process,
                text,
                as_clixml=_ENCODED.search(arguments) is not None,
                thrown=2 if _CONDITION.search(arguments) else 1,
            )
        if not _READS_NOTHING.search(arguments):
            process.complain("PowerShell would read the script's input itself; it needs -InputFormat None")
            return 1
        try:
            return hostscript.run(process)
        except UnknownUnitError as error:
            process.complain(str(error))
            return 1

    return run


def _text_of(process: Process, arguments: str) -> str:
    if found := _ENCODED.search(arguments):
        try:
            return base64.b64decode(found[1], validate=True).decode("utf-16-le")
        except (binascii.Error, UnicodeDecodeError):
            return "an encoded command that can't be decoded"
    if found := _FILE.search(arguments):
        return process.machine.place(found[1] or found[2], process.directory).read_text(encoding="utf-8-sig")
    if found := _COMMAND.search(arguments):
        return found[1].strip('"')
    return arguments


def run_text(process: Process, text: str, *, as_clixml: bool, thrown: int = 1) -> int:
    """Carry out plain lines; gives the exit code.

    Args:
        process: whose lines they are.
        text: the lines.
        as_clixml: write an error as PowerShell does where it was given an encoded command.
        thrown: the exit code after an error.
    """
    try:
        for line in _statements(text):
            process.check()
            _statement(process, line)
    except LeftError as left:
        return left.code
    except (ThrownError, OSError, paths.PathError) as error:
        message = str(getattr(error, "strerror", None) or error)
        process.outputs.write("stderr", clixml(message) if as_clixml else f"{message}\r\n".encode())
        return thrown
    return 0


def clixml(message: str) -> bytes:
    """An error as PowerShell writes it where standard error is no console."""
    escaped = message.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        f'<S S="Error">{escaped}_x000D__x000A_</S></Objs>'
    ).encode()


def _statements(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not line.startswith("#")]
    return [
        part.strip()
        for line in kept
        for part in re.split(r";(?=(?:[^'\"]|'[^']*'|\"[^\"]*\")*$)", line)
        if part.strip()
    ]


def _statement(process: Process, line: str) -> None:
    for pattern, carry_out in _STATEMENTS:
        if found := re.match(pattern, line, re.IGNORECASE | re.DOTALL):
            carry_out(process, found)
            return
    raise ThrownError(_REFUSED + line[:80])


def _value(process: Process, found: re.Match[str]) -> str:
    groups = found.groupdict()
    if groups.get("single") is not None:
        return groups["single"].replace("''", "'")
    text = groups.get("double") if groups.get("double") is not None else groups.get("bare")
    return re.sub(r"\$env:(\w+)", lambda name: process.environment.get(name[1].upper(), ""), text or "")


def _print(process: Process, found: re.Match[str]) -> None:
    process.print(_value(process, found))


def _leave(_process: Process, found: re.Match[str]) -> None:
    raise LeftError(int(found["code"] or 0))


def _throw(process: Process, found: re.Match[str]) -> None:
    raise ThrownError(_value(process, found))


def _sleep(process: Process, found: re.Match[str]) -> None:
    process.wait(float(found["number"]) / (1000 if (found["unit"] or "").lower() == "-milliseconds" else 1))


def _content(process: Process, found: re.Match[str]) -> None:
    value = re.search(rf"-value\s+{_STRING}", found["rest"], re.IGNORECASE)
    path = re.search(rf"(?:-(?:literal)?path\s+)?{_STRING}", found["rest"], re.IGNORECASE)
    if value is None or path is None:
        raise ThrownError(_REFUSED + found[0][:80])
    with process.working():
        process.machine.written()
        place = process.machine.place(_value(process, path), process.directory)
        with place.open("ab" if found["verb"].lower() == "add" else "wb") as file:
            file.write(f"{_value(process, value)}\r\n".encode())


def _folder(process: Process, found: re.Match[str]) -> None:
    path = re.search(rf"-path\s+{_STRING}", found["rest"], re.IGNORECASE)
    if path is None:
        raise ThrownError(_REFUSED + found[0][:80])
    with process.working():
        process.machine.written()
        process.machine.place(_value(process, path), process.directory).mkdir(parents=True, exist_ok=True)


_STATEMENTS: list[tuple[str, Callable[[Process, re.Match[str]], None]]] = [
    (r"^exit(?:\s+(?P<code>\d+))?$", _leave),
    (rf"^throw\s+{_STRING}$", _throw),
    (r"^start-sleep\s+(?:(?P<unit>-seconds|-milliseconds)\s+)?(?P<number>[\d.]+)$", _sleep),
    (rf"^(?:write-output|echo)\s+{_STRING}$", _print),
    (r"^(?P<verb>add|set)-content\s+(?P<rest>.+)$", _content),
    (r"^new-item\s+(?P<rest>(?=.*-itemtype\s+directory).+)$", _folder),
    (rf"^(?=['\"$]){_STRING}$", _print),
]
