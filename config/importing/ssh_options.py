"""The ways in which OpenSSH is told to go through other hosts."""

import re
import shlex
from collections.abc import Iterator

from config.values import Value

_DESTINATION = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<bracketed>[^\]]+)\]|(?P<plain>[^:\[\]]+))(?::(?P<port>\d{1,5}))?/?"
)
_LONGEST_PORT = 5
_WITH_ARGUMENT = set("BbcDEeFIiJLlmOopQRSWw")
_DECIDING = {"hostname", "port", "proxycommand", "proxyjump", "proxyusefdpass"}
_HARMLESS_FLAGS = set("46AaCkqTtxXYvnN")


class Jump(Value):
    """A host on the way to another.

    Attributes:
        host: its address, or a name that the client's configuration explains.
        alias: what the client's configuration calls it.
    """

    host: str
    alias: str = ""
    port: int | None = None
    user: str | None = None
    key_file: str | None = None


class Arguments(Value):
    """Command line arguments of ssh, as far as an import needs them.

    Attributes:
        jumps: hosts on the way, nearest first.
        key_file: ``-i``.
        port: ``-p``.
        user: ``-l``.
        destination: the host, where one is named.
        forwards: whether ``-W`` passes the connection on.
        rest: arguments that mean something else, without values, which may be secrets.
    """

    jumps: tuple[Jump, ...] = ()
    key_file: str | None = None
    port: int | None = None
    user: str | None = None
    destination: str | None = None
    forwards: bool = False
    rest: tuple[str, ...] = ()


def port_number(text: str) -> int | None:
    """A port as a number; None where there is none, which holds for more digits than any port has, too."""
    return int(text) if text.isdecimal() and len(text) <= _LONGEST_PORT else None


def parse_jumps(text: str) -> tuple[Jump, ...] | None:
    """The hosts of a ProxyJump, nearest first; empty for ``none``, None when it isn't understood."""
    if text.strip().lower() == "none":
        return ()
    jumps = [_jump(part.strip()) for part in text.split(",")]
    return None if None in jumps else tuple(jump for jump in jumps if jump is not None)


def parse_proxy_command(command: str) -> tuple[Jump, ...] | None:
    """The hosts of a ProxyCommand of the form ``ssh -W %h:%p host``; None for any other."""
    if command.strip().lower() == "none":
        return ()
    words = _words(command)
    if words[:1] == ["exec"]:
        words = words[1:]
    if not words or words[0].rpartition("/")[2] != "ssh":
        return None
    arguments = parse_arguments(words[1:])
    last = _jump(arguments.destination or "")
    if not arguments.forwards or last is None or any(not _harmless(word) for word in arguments.rest):
        return None
    last = Jump(
        host=last.host,
        port=last.port or arguments.port,
        user=last.user or arguments.user,
        key_file=arguments.key_file,
    )
    return (*arguments.jumps, last)


def parse_arguments(words: list[str]) -> Arguments:
    """Read the arguments of ssh; of what is given twice the first counts, as ssh has it."""
    found: dict[str, object] = {}
    rest: list[str] = []
    for option, value in _options(words):
        key, parsed = _understood(option, value)
        if key is None:
            setting = value.replace("=", " ", 1).split(" ")[0] if option == "o" else ""
            rest.append(f"-{option} {setting}".strip())
        else:
            found.setdefault(key, parsed)
    return Arguments.model_validate({**found, "rest": tuple(rest)})


def split_arguments(text: str) -> list[str]:
    """Split a line of arguments as a shell does; what can't be split stays one word."""
    return _words(text)


def _understood(option: str, value: str) -> tuple[str | None, object]:
    if option == "o":
        return _understood_setting(value)
    simple = {"i": "key_file", "l": "user", "": "destination"}
    if option in simple:
        return simple[option], value
    if option == "W":
        return "forwards", True
    if option == "p":
        return _if_understood("port", port_number(value))
    return _if_understood("jumps", parse_jumps(value) if option == "J" else None)


def _understood_setting(setting: str) -> tuple[str | None, object]:
    key, _, value = setting.replace("=", " ", 1).strip().partition(" ")
    value = value.strip().strip('"')
    readers = {"proxyjump": parse_jumps, "proxycommand": parse_proxy_command}
    if key.lower() in readers:
        return _if_understood("jumps", readers[key.lower()](value))
    names = {"identityfile": "key_file", "user": "user"}
    if key.lower() in names:
        return names[key.lower()], value
    return _if_understood("port", port_number(value) if key.lower() == "port" else None)


def _if_understood(key: str, parsed: object) -> tuple[str | None, object]:
    return (None, None) if parsed is None else (key, parsed)


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Options with their values; what is no option comes as the value of an empty one."""
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word == "-":
            yield "", word
            continue
        # As in "-qW %h:%p": flags may precede an option that takes what follows.
        for index, option in enumerate(word[1:], start=1):
            if option in _WITH_ARGUMENT:
                yield option, word[index + 1 :] or (queue.pop(0) if queue else "")
                break
            yield option, ""


def _harmless(argument: str) -> bool:
    """Whether a proxy command may lose this argument and still lead to the same host."""
    if argument.startswith("-o "):
        return argument[3:].lower() not in _DECIDING
    return argument.startswith("-") and set(argument[1:]) <= _HARMLESS_FLAGS


def _jump(text: str) -> Jump | None:
    match = _DESTINATION.fullmatch(text)
    if match is None:
        return None
    port = port_number(match["port"] or "")
    return Jump(host=match["bracketed"] or match["plain"], port=port, user=match["user"])


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an unfinished quotation
        return [text]
