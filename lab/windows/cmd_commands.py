"""The commands of cmd.exe that the lab knows, with the switches that it knows of each."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lab.windows.cmd_language import UnknownError

if TYPE_CHECKING:
    from lab.windows.cmd import Session

_NO_FILE = "The system cannot find the file specified."
_NO_PATH = "The system cannot find the path specified."


class ExitError(Exception):
    """``exit``: of the batch file, or of the whole."""

    def __init__(self, code: int, *, whole: bool) -> None:
        super().__init__(code)
        self.code = code
        self.whole = whole


def _names(command: str, rest: str, switches: str = "") -> tuple[list[str], list[str]]:
    """Names and switches; one that isn't in ``switches`` is not known."""
    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', rest)]
    given = [word.lower() for word in words if word.startswith("/")]
    for each in given:
        if each not in switches.split():
            raise UnknownError(f"{command} {each}")
    names = [word for word in words if not word.startswith("/")]
    for name in names:
        if re.search(r"[*?]", name):
            raise UnknownError(f"{command} {name}")
    return names, given


def _echo(session: "Session", rest: str) -> None:
    if rest.strip().lower() in {"off", "on"}:
        return
    # What follows ``echo`` at once, a space or a dot mostly, is no part of the text.
    session.say(rest[1:] if rest.strip() else "ECHO is off.")


def _set(session: "Session", rest: str) -> int | None:
    environment, text = session.process.environment, rest.lstrip()
    if text.startswith("/"):
        raise UnknownError(f"set {text.split()[0]}")
    text = text.removeprefix('"').removesuffix('"') if text.startswith('"') else text
    name, sign, value = text.partition("=")
    if sign:
        if value:
            environment[name.upper()] = value
        else:
            environment.pop(name.upper(), None)
        return None
    found = [each for each in sorted(environment) if each.startswith(name.upper())]
    for each in found:
        session.say(f"{each}={environment[each]}")
    return 0 if found else 1


def _exit(session: "Session", rest: str) -> int:
    words = rest.split()
    only = bool(words) and words[0].lower() == "/b"
    codes = words[1:] if only else words
    raise ExitError(int(codes[0]) if codes else session.level, whole=not only)


def _goto(session: "Session", rest: str) -> int:
    if rest.strip().lower() != ":eof":
        raise UnknownError(f"goto {rest}")
    raise ExitError(session.level, whole=False)


def _cd(session: "Session", rest: str) -> int:
    names, _ = _names("cd", rest, "/d")
    if not names:
        session.say(session.process.directory)
        return 0
    if not session.place(names[0]).is_dir():
        session.complain(_NO_PATH)
        return 1
    session.process.directory = session.process.machine.full_path(names[0], session.process.directory)
    return 0


def _mkdir(session: "Session", rest: str) -> int:
    for name in _names("mkdir", rest)[0]:
        if session.place(name).exists():
            session.complain(f"A subdirectory or file {name} already exists.")
            return 1
        with session.process.working():
            session.process.machine.written()
            session.place(name).mkdir(parents=True)
    return 0


def _rmdir(session: "Session", rest: str) -> int:
    names, switches = _names("rmdir", rest, "/s /q")
    if "/s" in switches and "/q" not in switches:
        raise UnknownError("rmdir /s without /q, which asks")
    for name in names:
        place = session.place(name)
        if not place.is_dir():
            session.complain(_NO_FILE)
            return 2
        with session.process.working():
            if "/s" in switches and not place.is_symlink():
                shutil.rmtree(place)
            elif place.is_symlink():
                place.unlink()  # of a junction, the junction alone
            else:
                place.rmdir()
    return 0


def _type(session: "Session", rest: str) -> int:
    for name in _names("type", rest)[0]:
        if not session.place(name).is_file():
            session.complain(_NO_FILE)
            return 1
        session.write(1, session.place(name).read_bytes())
    return 0


def _two(session: "Session", command: str, rest: str, switches: str) -> tuple[Path, Path] | None:
    names, _ = _names(command, rest, switches)
    if len(names) != 2:  # noqa: PLR2004 - from and to
        raise UnknownError(f"{command} {rest}")
    source, target = session.place(names[0]), session.place(names[1])
    if not source.exists():
        session.complain(_NO_FILE)
        return None
    return source, target / source.name if target.is_dir() else target


def _copy(session: "Session", rest: str) -> int:
    pair = _two(session, "copy", rest, "/y /b")
    if pair is None:
        return 1
    if pair[0].is_dir():
        raise UnknownError("copy of a folder")
    with session.process.working():
        session.process.machine.written()
        shutil.copyfile(*pair)
    session.say("        1 file(s) copied.")
    return 0


def _move(session: "Session", rest: str) -> int:
    pair = _two(session, "move", rest, "/y")
    if pair is None:
        return 1
    with session.process.working():
        pair[0].replace(pair[1])
    return 0


def _ren(session: "Session", rest: str) -> int:
    names, _ = _names("ren", rest)
    if len(names) != 2 or not session.place(names[0]).exists():  # noqa: PLR2004 - from and to
        session.complain(_NO_FILE)
        return 1
    source = session.place(names[0])
    target = source.with_name(names[1])
    if target.exists():
        session.complain("A duplicate file name exists, or the file cannot be found.")
        return 1
    with session.process.working():
        source.rename(target)
    return 0


def _del(session: "Session", rest: str) -> int:
    for name in _names("del", rest, "/q /f")[0]:
        place = session.place(name)
        if place.is_dir():
            raise UnknownError("del of a folder")
        if not place.is_file():
            session.complain(f"Could Not Find {name}")
            continue
        with session.process.working():
            place.unlink()
    return 0


def _dir(session: "Session", rest: str) -> int:
    names, switches = _names("dir", rest, "/b")
    if not switches:
        raise UnknownError("dir without /b")
    place = session.place(names[0] if names else ".")
    if not place.exists():
        session.complain("File Not Found")
        return 1
    for each in sorted(place.iterdir()) if place.is_dir() else [place]:
        session.say(each.name)
    return 0


def _ping(session: "Session", rest: str) -> int:
    found = re.fullmatch(r"(?:-n\s+(\d+)\s+)?(?:127\.0\.0\.1|localhost)", rest.strip(), re.IGNORECASE)
    if found is None:
        raise UnknownError(f"ping {rest}")
    for number in range(int(found[1] or 4)):
        if number:
            session.process.wait(1.0)
        session.say("Reply from 127.0.0.1: bytes=32 time<1ms TTL=128")
    return 0


def _timeout(session: "Session", _rest: str) -> int:
    # A step has no console, and a WinRM shell has none: there Windows' timeout doesn't wait.
    session.complain("ERROR: Input redirection is not supported, exiting the process immediately.")
    return 1


def _hostname(session: "Session", _rest: str) -> int:
    session.say(session.process.machine.name)
    return 0


def _whoami(session: "Session", rest: str) -> int:
    if rest.strip():
        raise UnknownError(f"whoami {rest}")
    variables = session.process.environment
    session.say(f"{variables['COMPUTERNAME']}\\{variables['USERNAME']}".lower())
    return 0


def _ver(session: "Session", _rest: str) -> int:
    session.say("the WinRM protocol lab, which is no Windows")
    return 0


def _setlocal(_session: "Session", rest: str) -> None:
    if rest.strip():
        raise UnknownError(f"setlocal {rest}")


def _nothing(_session: "Session", _rest: str) -> None:
    return


COMMANDS: dict[str, Callable[["Session", str], int | None]] = {
    "cd": _cd,
    "chcp": _nothing,
    "chdir": _cd,
    "copy": _copy,
    "del": _del,
    "dir": _dir,
    "echo": _echo,
    "erase": _del,
    "exit": _exit,
    "goto": _goto,
    "hostname": _hostname,
    "md": _mkdir,
    "mkdir": _mkdir,
    "move": _move,
    "ping": _ping,
    "rd": _rmdir,
    "rem": _nothing,
    "ren": _ren,
    "rename": _ren,
    "rmdir": _rmdir,
    "set": _set,
    "setlocal": _setlocal,
    "timeout": _timeout,
    "type": _type,
    "ver": _ver,
    "whoami": _whoami,
}
