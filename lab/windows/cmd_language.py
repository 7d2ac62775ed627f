"""What a line for cmd.exe says: variables, commands, redirections, conditions; pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"(?P<operator>&&|\|\||&|\|)|(?P<redirect>[012]?(?:>>?|<)(?:&[012])?)"
    r'|(?P<word>(?:"[^"]*"?|\^.|[^\s&|<>"])+)|(?P<gap>\s+)'
)
_ESCAPED = re.compile(r'("[^"]*"?)|\^(.)')
_VARIABLE = re.compile(r"%(?P<name>[^%\r\n]+)%")
_IN_BATCH = re.compile(r"%(?:(?P<percent>%)|(?P<argument>~?[a-z]*\d|\*)|(?P<name>[^%\r\n]+)%)", re.IGNORECASE)
_MADE_UP = frozenset({"CMDCMDLINE", "DATE", "RANDOM", "TIME"})
_CONDITION = re.compile(
    r"(?P<fold>/i\s+)?(?P<negated>not\s+)?(?:"
    r"errorlevel\s+(?P<level>\d+)|"
    r'exist\s+(?P<path>"[^"]+"|\S+)|'
    r"defined\s+(?P<name>\S+)|"
    r'(?P<left>"[^"]*"|[^\s=]+)\s*==\s*(?P<right>"[^"]*"|\S+)'
    r")\s+(?P<rest>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)


class UnknownError(Exception):
    """Something of cmd.exe that the lab doesn't know; the text says what."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Redirection:
    """Where an output of a command goes.

    Attributes:
        handle: 1 or 2.
        target: a path, or ``&1`` or ``&2``.
        append: to what is there.
    """

    handle: int
    target: str
    append: bool


@dataclass(kw_only=True)
class Command:
    """One command of a line.

    Attributes:
        operator: what stands before it: ``&``, ``&&``, ``||``, or nothing.
        text: the command without its redirections.
        redirections: in their order.
    """

    operator: str = ""
    text: str = ""
    redirections: list[Redirection] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """What stands behind ``if``; one of level, path, name, and left with right is there."""

    negated: bool
    level: int | None
    path: str | None
    name: str | None
    left: str
    right: str
    rest: str


def expanded(line: str, variables: Mapping[str, str]) -> str:
    """A line of the command line: variables that aren't there stay as they are written.

    Raises:
        UnknownError: a variable of a kind that the lab doesn't have.
    """

    def value(found: re.Match[str]) -> str:
        known = _known(found["name"], variables)
        return found[0] if known is None else known

    return _VARIABLE.sub(value, line)


def expanded_in_batch(line: str, variables: Mapping[str, str], arguments: Sequence[str]) -> str:
    """A line of a batch file: variables that aren't there are nothing.

    Args:
        line: as the file has it.
        variables: by name in upper case.
        arguments: the batch file's own path, and what it was called with.

    Raises:
        UnknownError: a variable of a kind that the lab doesn't have.
    """

    def value(found: re.Match[str]) -> str:
        if found["percent"]:
            return "%"
        if found["argument"]:
            return _argument(found["argument"].lower(), arguments)
        return _known(found["name"], variables) or ""

    return _IN_BATCH.sub(value, line)


def _known(name: str, variables: Mapping[str, str]) -> str | None:
    upper = name.upper()
    if upper in variables:
        return variables[upper]
    if ":" in name or upper in _MADE_UP:
        raise UnknownError(f"the variable %{name}%")
    return None


def _argument(name: str, arguments: Sequence[str]) -> str:
    if name == "*":
        return " ".join(arguments[1:])
    number = int(name[-1])
    text = arguments[number] if number < len(arguments) else ""
    match name[:-1]:
        case "":
            return text
        case "~":
            return text.strip('"')
        case "~dp" if number == 0:
            return text.strip('"').rpartition("\\")[0] + "\\"
    raise UnknownError(f"the argument %{name}")


def commands(line: str) -> Iterator[Command]:
    """The commands of a line.

    Raises:
        UnknownError: it has a pipe, or an input from a file.
    """
    command, redirect = Command(), ""
    for token in _TOKEN.finditer(line):
        if token["operator"]:
            if token["operator"] == "|":
                raise UnknownError("a pipe")
            yield command
            command, redirect = Command(operator=token["operator"]), ""
        elif token["redirect"]:
            redirect = _redirect(command, token["redirect"])
        elif token["word"] and redirect:
            _redirect_to(command, redirect, token["word"].strip('"'))
            redirect = ""
        elif not redirect:
            command.text += _ESCAPED.sub(lambda found: found[1] or found[2], token[0])
    yield command


def _redirect(command: Command, text: str) -> str:
    """Take a redirection; gives it back while its target is still to come."""
    if "<" in text:
        raise UnknownError("input from a file")
    sign, copies, handle = text.partition("&")
    if not copies:
        return sign
    _redirect_to(command, sign, f"&{handle}")
    return ""


def _redirect_to(command: Command, sign: str, target: str) -> None:
    handle = 2 if sign[0] == "2" else 1
    command.redirections.append(Redirection(handle=handle, target=target, append=">>" in sign))


def condition(text: str) -> Condition:
    """What ``if`` asks, and the rest of its line.

    Raises:
        UnknownError: it asks for something else, or goes over several lines.
    """
    found = _CONDITION.match(text)
    if found is None or found["rest"].startswith("("):
        raise UnknownError(f"if {text}")
    left, right = found["left"] or "", found["right"] or ""
    return Condition(
        negated=bool(found["negated"]),
        level=int(found["level"]) if found["level"] else None,
        path=found["path"],
        name=found["name"],
        left=left.lower() if found["fold"] else left,
        right=right.lower() if found["fold"] else right,
        rest=found["rest"],
    )
