"""An Ansible inventory as data: groups, hosts and variables, each with its line."""

import re
import shlex
from dataclasses import dataclass, field
from itertools import product
from math import prod

from config.importing.imported import Note

ALL = "all"
UNGROUPED = "ungrouped"
_RANGE = re.compile(r"\[(?:(\d{1,18}):(\d{1,18})|([A-Za-z]):([A-Za-z]))(?::(\d{1,18}))?\]")
_SECTION = re.compile(r"\[\s*([^\]:]+?)\s*(?::\s*(\w+)\s*)?\]\s*(?:[#;].*)?")
_PORT = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]+):(?P<port>\d+)")
_BRACKETED_IPV6 = re.compile(r"\[[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]")
_MOST_HOSTS = 100_000

Variables = dict[str, tuple[str, int]]
"""Values with the lines on which they stand."""


@dataclass(kw_only=True)
class Group:
    """A group while its inventory is read.

    Attributes:
        line: where it first stands.
        hosts: its own hosts, with the lines on which they stand.
        children: groups inside it.
    """

    name: str
    line: int
    hosts: dict[str, int] = field(default_factory=dict)
    children: list[str] = field(default_factory=list)
    variables: Variables = field(default_factory=dict)


@dataclass(kw_only=True)
class Inventory:
    """Everything that an inventory says.

    Attributes:
        hosts: the variables of each host itself, in the order of the file.
        notes: what could not be read.
    """

    file: str
    groups: dict[str, Group] = field(default_factory=dict)
    hosts: dict[str, Variables] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def group(self, name: str, line: int) -> Group:
        """The group of this name, made where it is named the first time."""
        return self.groups.setdefault(name, Group(name=name, line=line))

    def add_host(self, group: Group, pattern: str, variables: Variables, line: int) -> None:
        """Put the hosts of a pattern such as ``web[01:10]:2222`` into a group."""
        match = _PORT.fullmatch(_RANGE.sub("0", pattern))
        if match:
            variables = {"ansible_port": (match["port"], line), **variables}
            pattern = pattern[: -len(match["port"]) - 1]
        names = expand(pattern)
        if names is None:
            self.note(line, f'the range in "{pattern}" is not understood')
            return
        for name in names:
            group.hosts.setdefault(name, line)
            self.hosts.setdefault(name, {}).update(variables)

    def note(self, line: int, text: str) -> None:
        """Note what could not be read."""
        self.notes.append(Note(file=self.file, line=line, text=text))


def read_ini(text: str, file: str) -> Inventory:
    """Read an inventory in Ansible's INI format."""
    inventory = Inventory(file=file)
    section, kind = UNGROUPED, "hosts"
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if match := _SECTION.fullmatch(line):
            section, kind = match[1], match[2] or "hosts"
            inventory.group(section, number)
            if kind not in ("hosts", "children", "vars"):
                inventory.note(number, f'the section "[{section}:{kind}]" is not understood')
        else:
            _ini_line(inventory, inventory.group(section, number), kind, line, number)
    return inventory


def expand(pattern: str) -> list[str] | None:
    """The names that a pattern such as ``web[01:10:2]`` stands for; None when it is not understood."""
    if _BRACKETED_IPV6.fullmatch(pattern):
        return [pattern[1:-1]]
    if "[" in _RANGE.sub("", pattern):
        return None
    pieces: list[list[str]] = []
    end = 0
    for match in _RANGE.finditer(pattern):
        pieces += [[pattern[end : match.start()]], _range(match)]
        end = match.end()
    pieces.append([pattern[end:]])
    if not 0 < prod(len(piece) for piece in pieces) <= _MOST_HOSTS:
        return None
    return ["".join(parts) for parts in product(*pieces)]


def _range(match: re.Match[str]) -> list[str]:
    step = int(match[5] or 1) or 1
    if match[3]:
        return [chr(code) for code in range(ord(match[3]), ord(match[4]) + 1, step)]
    first, last = int(match[1]), int(match[2])
    if last - first > _MOST_HOSTS:
        return []
    width = len(match[1]) if match[1].startswith("0") else 0
    return [str(number).zfill(width) for number in range(first, last + 1, step)]


def _ini_line(inventory: Inventory, group: Group, kind: str, line: str, number: int) -> None:
    if kind == "vars":
        key, equals, value = line.partition("=")
        if equals:
            group.variables[key.strip()] = (_unquoted(value.strip()), number)
        else:
            inventory.note(number, f'expected "name=value" among the variables of "{group.name}"')
    elif kind == "children":
        name = line.partition("#")[0].strip()
        inventory.group(name, number)
        group.children.append(name)
    elif kind == "hosts":
        _ini_host(inventory, group, line, number)


def _ini_host(inventory: Inventory, group: Group, line: str, number: int) -> None:
    try:
        name, *words = shlex.split(line, comments=True)
    except ValueError:
        inventory.note(number, "the quotation on this line has no end")
        return
    variables = {}
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            variables[key] = (value, number)
        else:
            # What stands there is not shown: beside "password = ..." it is the password.
            inventory.note(number, 'expected "name=value" without spaces after the host')
    inventory.add_host(group, name, variables, number)


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
