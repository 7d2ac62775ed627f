"""The result of an import: a fleet to be written down, and what it doesn't carry."""

from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from config.errors import BadInputError
from config.values import Value

_WIDE = 4096  # the emitter folds longer lines, which hides a long key file's name from a search


class Note(Value):
    """Something that the fleet doesn't carry, or that was assumed.

    Attributes:
        file: where it stands.
        line: from 1; None when it is about the whole file.
        text: what it is, and what to do where there is something to do.
    """

    file: str
    line: int | None = None
    text: str

    def __str__(self) -> str:
        """The note in one line, its place first."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.text}"


class NoHostsError(BadInputError):
    """There is no host in the file that a fleet can have.

    Attributes:
        left_out: everything that was found instead.
    """

    def __init__(self, file: str, left_out: tuple[Note, ...]) -> None:
        self.left_out = left_out
        happened = f"{file}: expected at least one host, found none that a fleet can have"
        attempt = "is it the right file? Inventory scripts are not run, and included files not read."
        super().__init__("\n".join([f"{happened}; {attempt}", *map(str, left_out)]))


class Imported(Value):
    """A fleet made from something else.

    Attributes:
        fleet: plain data as a fleet file has it.
        left_out: what was not carried over or was assumed, in the order of the file.
    """

    fleet: dict[str, Any]
    left_out: tuple[Note, ...] = ()


def render_fleet(imported: Imported) -> str:
    """The fleet file, headed by comments that list what was not carried over."""
    yaml = YAML()
    yaml.width = _WIDE
    stream = StringIO()
    yaml.dump(imported.fleet, stream)
    return _header(imported.left_out) + stream.getvalue()


def _header(notes: tuple[Note, ...]) -> str:
    if not notes:
        return ""
    lines = ["# Not carried over, or assumed:", *(f"#   {_one_line(str(note))}" for note in notes), ""]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    """Text that stays within its comment, whatever the imported file had in it."""
    return "".join(character if character.isprintable() else "?" for character in text)
