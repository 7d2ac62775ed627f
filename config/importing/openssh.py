"""An OpenSSH client configuration as a fleet."""

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from os import PathLike
from typing import NamedTuple

from config.importing.building import Builder, FoundHost
from config.importing.imported import Imported
from config.importing.ssh_options import Jump, parse_jumps, parse_proxy_command, port_number
from config.reading import read_text

CLUSTER = "imported"
_DEEPEST = 8  # a ProxyJump through a host with a ProxyJump of its own, and so on
_CARRIED = {"hostname", "port", "user", "identityfile", "proxyjump", "proxycommand"}
_LINE = re.compile(r"(?P<key>\w+)(?:\s*=\s*|\s+)(?P<value>.*)")
_WORD = re.compile(r'"([^"]*)"|(\S+)')


class _Option(NamedTuple):
    key: str
    value: str
    line: int


@dataclass(kw_only=True)
class _Block:
    """Options for the hosts that match; a pattern with ``!`` excludes."""

    patterns: list[str]
    line: int
    options: list[_Option] = field(default_factory=list)

    def matches(self, name: str) -> bool:
        chosen = [pattern for pattern in self.patterns if not pattern.startswith("!")]
        excluded = [pattern[1:] for pattern in self.patterns if pattern.startswith("!")]
        return _any_matches(chosen, name) and not _any_matches(excluded, name)


def import_openssh(path: str | PathLike[str], *, default_user: str) -> Imported:
    """Read an OpenSSH client configuration such as ``~/.ssh/config``.

    Hosts through which others are reached become proxies, and are no hosts of the fleet themselves.

    Args:
        path: the configuration.
        default_user: the login where the configuration names none.

    Raises:
        InvalidFileError: the file can't be read.
        NoHostsError: it has no host that a fleet can have.
    """
    file = str(path)
    builder = Builder(file, default_user)
    blocks = _read(read_text(file), builder)
    names: dict[str, int] = {}
    for block in blocks:
        for pattern in block.patterns:
            if not set(pattern) & set("*?!"):
                names.setdefault(pattern, block.line)
    found = {name: _host(blocks, builder, name, line) for name, line in names.items()}
    jumps = {jump.host for name in names for jump in _own_jumps(_options(blocks, name)) or ()}
    for name in sorted(jumps & set(names)):
        builder.note(names[name], f'host "{name}" is a proxy here, and no host of the fleet itself')
    return builder.build(host for name, host in found.items() if name not in jumps and host is not None)


def _read(text: str, builder: Builder) -> list[_Block]:
    blocks = [_Block(patterns=["*"], line=1)]
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            builder.note(number, "this line is not understood")
        elif match["key"].lower() in ("host", "match"):
            blocks.append(_block(match["key"], match["value"], number, builder))
        else:
            _add_option(blocks[-1], match["key"], match["value"], number, builder)
    return blocks


def _block(key: str, value: str, line: int, builder: Builder) -> _Block:
    if key.lower() == "host":
        return _Block(patterns=_split(value), line=line)
    builder.note(line, "the Match block and the options in it")
    return _Block(patterns=[], line=line)


def _add_option(block: _Block, key: str, value: str, line: int, builder: Builder) -> None:
    if key.lower() == "include":
        builder.note(line, f'"Include {value}"; import the included files by themselves')
    elif key.lower() in _CARRIED:
        plain = value if key.lower() == "proxycommand" else " ".join(_split(value))
        block.options.append(_Option(key.lower(), plain, line))
    elif block.patterns:
        builder.note(line, f'option "{key}"')


def _split(value: str) -> list[str]:
    """Words, some of them in double quotes; a word that begins with ``#`` begins a comment."""
    words = []
    for match in _WORD.finditer(value):
        if match[0].startswith("#"):
            break
        words.append(match[1] if match[1] is not None else match[2])
    return words


def _options(blocks: list[_Block], name: str) -> dict[str, _Option]:
    """The options of a host: of what is given more than once the first value counts."""
    options: dict[str, _Option] = {}
    for block in blocks:
        if block.matches(name):
            for option in block.options:
                # ProxyJump and ProxyCommand are two ways to say one thing; the first said wins.
                key = "way" if option.key.startswith("proxy") else option.key
                options.setdefault(key, option)
    return options


def _any_matches(patterns: list[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in patterns)


def _host(blocks: list[_Block], builder: Builder, name: str, line: int) -> FoundHost | None:
    options = _options(blocks, name)
    jumps = _jumps(blocks, options, 0)
    if jumps is None:
        # The command itself is not shown: "sshpass -p ..." has a password in it.
        builder.note(line, f'host "{name}": the way through its ProxyJump or ProxyCommand is not understood')
        return None
    port = options["port"].value if "port" in options else ""
    if port and port_number(port) is None:
        builder.note(options["port"].line, f'host "{name}": its port "{port}" is not a number')
        return None
    return FoundHost(
        name=name,
        line=line,
        group=CLUSTER,
        address=_address(options, name),
        port=port_number(port),
        user=_text(options, "user"),
        key_file=_text(options, "identityfile"),
        jumps=jumps,
    )


def _address(options: dict[str, _Option], name: str) -> str:
    return (_text(options, "hostname") or name).replace("%h", name).replace("%%", "%")


def _text(options: dict[str, _Option], key: str) -> str | None:
    return options[key].value or None if key in options else None


def _own_jumps(options: dict[str, _Option]) -> tuple[Jump, ...] | None:
    if "way" not in options:
        return ()
    way = options["way"]
    return parse_jumps(way.value) if way.key == "proxyjump" else parse_proxy_command(way.value)


def _jumps(blocks: list[_Block], options: dict[str, _Option], depth: int) -> tuple[Jump, ...] | None:
    """All hosts on the way, each with what the configuration says of it; None when not understood.

    Of several jumps only the first is reached by the configuration's own way: ssh goes to it before
    it goes on to the next.
    """
    own = _own_jumps(options)
    if own is None or depth > _DEEPEST:
        return None
    way: list[Jump] = []
    for index, jump in enumerate(own):
        named = _options(blocks, jump.host)
        if index == 0:
            before = _jumps(blocks, named, depth + 1)
            if before is None:
                return None
            way += before
        port = _text(named, "port") or ""
        if port and not jump.port and port_number(port) is None:
            return None
        way.append(
            Jump(
                host=_address(named, jump.host),
                alias=jump.host,
                port=jump.port or port_number(port),
                user=jump.user or _text(named, "user"),
                key_file=jump.key_file or _text(named, "identityfile"),
            )
        )
    return tuple(way)
