"""The shell files of this package, without what only people read."""

from functools import lru_cache
from importlib.resources import files

_OPENERS = ("then", "do", "else", "{", "(", "&&", "||", "|", "&", ";")


@lru_cache(maxsize=64)
def shell_text(name: str) -> str:
    """A shell file without comments and indentation, ended by a newline.

    Args:
        name: its path under ``shell/``, without ``.sh``.
    """
    text = files("tasks.hostscript").joinpath(f"shell/{name}.sh").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))


@lru_cache(maxsize=16)
def one_line(*names: str) -> str:
    """Shell files joined to one line, for a shell such as csh, whose single quotes can't hold a newline.

    The files must keep to the rules at the head of ``driver.sh``.
    """
    joined = ""
    for line in "".join(shell_text(name) for name in names).splitlines():
        separator = " " if joined.endswith(_OPENERS) or not joined else "; "
        joined += separator + line
    return joined.strip()


def quote(text: str) -> str:
    """``text`` as one word of POSIX shell, whatever it holds."""
    return "'" + text.replace("'", "'\\''") + "'"
