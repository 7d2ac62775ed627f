"""What is wrong in a file that a person wrote, and where."""

from collections.abc import Iterable
from difflib import get_close_matches

from config.errors import BadInputError
from config.values import Value

Path = tuple[str | int, ...]
"""The way from a file's root to a value: keys of mappings, and indexes of lists from 0."""


class Finding(Value):
    """Something wrong at a place in the data, before it is known where that stands in the file.

    Attributes:
        path: the value that is wrong; for a missing key, the key as it should be.
        message: what was expected, and what was found.
        hint: what to try; empty when nothing is likely.
        at_key: whether the key is what is wrong, rather than its value.
    """

    path: tuple[str | int, ...]
    message: str
    hint: str = ""
    at_key: bool = False


class Problem(Value):
    """Something wrong at a place in a file.

    Attributes:
        file: the file as it was named.
        line: from 1; None when the problem is the file as a whole.
        column: from 1; None as ``line``.
        field: path of the value, such as ``clusters.web.hosts.web-1.port``; empty for the file's root.
        message: what was expected, and what was found.
        hint: what to try; empty when nothing is likely.
    """

    file: str
    line: int | None = None
    column: int | None = None
    field: str = ""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """The problem in one line, its place first, as compilers and editors write it."""
        place = self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"
        parts = [place, self.field, self.message] if self.field else [place, self.message]
        return ": ".join(parts) + (f"; {self.hint}" if self.hint else "")


class InvalidFileError(BadInputError):
    """A file is not a valid fleet or application.

    Attributes:
        problems: everything that is wrong, in the order of the file.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnplacedError(BadInputError):
    """What was asked for is not valid, some of it at places in data whose file is not known where that shows.

    Attributes:
        lines: what is wrong apart from those.
        findings: what is wrong with the data.
    """

    def __init__(self, *, lines: Iterable[str] = (), findings: Iterable[Finding] = ()) -> None:
        self.lines, self.findings = tuple(lines), tuple(findings)
        super().__init__(
            "\n".join([*self.lines, *(f"{dotted(each.path)}: {each.message}" for each in self.findings)])
        )


def dotted(path: Path) -> str:
    """A path as people write it: ``clusters.web.hosts.web-1``, ``actions[2].fetch.url``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The hint ``did you mean "port"?``, or nothing when no known word is near."""
    near = get_close_matches(word, list(known), n=1)
    return f'did you mean "{near[0]}"?' if near else ""


def listed(words: Iterable[str]) -> str:
    """Words for the end of a sentence: ``a, b and c``; ``none`` when there are none."""
    *first, last = [*words] or ["none"]
    return f"{', '.join(first)} and {last}" if first else last
