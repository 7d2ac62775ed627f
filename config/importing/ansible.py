"""An Ansible inventory as a fleet."""

from collections import defaultdict
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Literal

from config.fleet import OperatingSystem
from config.importing.building import Builder, FoundHost
from config.importing.imported import Imported
from config.importing.inventory import (
    ALL,
    UNGROUPED,
    Group,
    Inventory,
    Variables,
    read_ini,
)
from config.importing.ssh_options import Jump, parse_arguments, port_number, split_arguments
from config.importing.winrm_options import WINRM_VARIABLES, winrm_settings
from config.importing.yaml_inventory import read_yaml_inventory
from config.reading import read_document, read_text

_ADDRESS = ("ansible_host", "ansible_ssh_host")
_PORT = ("ansible_port", "ansible_ssh_port")
_USER = ("ansible_user", "ansible_ssh_user")
_KEY = ("ansible_ssh_private_key_file", "ansible_private_key_file")
_ARGUMENTS = ("ansible_ssh_common_args", "ansible_ssh_extra_args")
_PASSWORD = ("ansible_password", "ansible_ssh_pass")
_BECOME = ("ansible_become",)
_BECOME_USER = ("ansible_become_user",)
_BECOME_PASSWORD = ("ansible_become_password", "ansible_become_pass")
_CONNECTION = ("ansible_connection",)
_CARRIED = {
    *_ADDRESS, *_PORT, *_USER, *_KEY, *_ARGUMENTS, *_PASSWORD, *_BECOME, *_BECOME_USER, *_BECOME_PASSWORD,
    *_CONNECTION, *WINRM_VARIABLES,
}  # fmt: skip
_SYSTEMS: dict[str, OperatingSystem] = {
    "ssh": "linux", "smart": "linux", "paramiko": "linux", "paramiko_ssh": "linux",
    "winrm": "windows", "psrp": "windows",
}  # fmt: skip
_TRUE = {"true", "yes", "1", "on", "y", "t"}


def import_ansible(path: str | PathLike[str], *, default_user: str) -> Imported:
    """Read an Ansible inventory file, INI or YAML.

    Args:
        path: the inventory.
        default_user: the login where the inventory names none.

    Raises:
        InvalidFileError: the file can't be read, or is meant to be YAML and is not.
        NoHostsError: it has no host that a fleet can have.
    """
    file = str(path)
    if _format(file) == "yaml":
        inventory = read_yaml_inventory(read_document(file), file)
    else:
        inventory = read_ini(read_text(file), file)
    return _fleet(inventory, default_user)


def _format(file: str) -> Literal["ini", "yaml"]:
    if Path(file).suffix in (".yaml", ".yml", ".json"):
        return "yaml"
    for line in read_text(file).splitlines():
        words = line.split("#")[0].strip()
        if words:
            # An INI inventory begins with a section or a host; a host's name never ends in a colon.
            first = words.split()[0]
            return "yaml" if first in ("---", "-") or first[0] in "{!%" or first[-1] == ":" else "ini"
    return "ini"


def _fleet(inventory: Inventory, default_user: str) -> Imported:
    builder = Builder(inventory.file, default_user)
    for note in inventory.notes:
        builder.note(note.line, note.text)
    depths = _depths(inventory)
    found = [host for host in (_host(inventory, builder, depths, name) for name in inventory.hosts) if host]
    _note_groups(inventory, builder)
    _note_variables(inventory, builder)
    return builder.build(found)


def _host(inventory: Inventory, builder: Builder, depths: dict[str, int], name: str) -> FoundHost | None:
    around = _groups_around(inventory, depths, name)
    variables: Variables = {}
    for group in around:
        variables |= group.variables
    variables |= inventory.hosts[name]
    direct = [group for group in around if name in group.hosts]
    cluster = _most_specific(direct, depths)
    line = cluster.hosts[name]
    others = [group.name for group in direct if group is not cluster and group.name not in (ALL, UNGROUPED)]
    if others:
        builder.note(
            line,
            f'host "{name}": cluster "{cluster.name}" was taken; it is also in {", ".join(sorted(others))}',
        )
    system = _SYSTEMS.get(_value(variables, _CONNECTION, "ssh").rpartition(".")[2])
    if system is None:
        connection = _value(variables, _CONNECTION)
        builder.note(line, f'host "{name}": ansible_connection "{connection}" reaches no host over a network')
        return None
    port = _value(variables, _PORT)
    if port and port_number(port) is None:
        builder.note(line, f'host "{name}": its port "{port}" is not a number')
        return None
    key_file, jumps = _ssh_arguments(builder, variables)
    return FoundHost(
        name=name,
        line=line,
        group="hosts" if cluster.name == UNGROUPED else cluster.name,
        address=_value(variables, _ADDRESS) or name,
        os=system,
        port=port_number(port),
        user=_value(variables, _USER) or None,
        key_file=_value(variables, _KEY) or key_file,
        password=any(key in variables for key in _PASSWORD) or system == "windows",
        jumps=jumps,
        become=_become(variables),
        winrm=winrm_settings(variables, port, lambda text: builder.note(line, f'host "{name}": {text}'))
        if system == "windows"
        else {},
    )


def _groups_around(inventory: Inventory, depths: dict[str, int], name: str) -> list[Group]:
    """The groups that a host is in, directly or through others, in the order in which variables win."""
    around = {group.name for group in inventory.groups.values() if name in group.hosts}
    while True:
        wider = {group.name for group in inventory.groups.values() if around & set(group.children)} | around
        if wider == around:
            break
        around = wider
    if ALL in inventory.groups:
        around.add(ALL)
    return [inventory.groups[group] for group in sorted(around, key=lambda group: (depths[group], group))]


def _most_specific(groups: list[Group], depths: dict[str, int]) -> Group:
    """The deepest; among equals the first of the file, and a real group rather than none."""
    return max(groups, key=lambda group: (group.name != UNGROUPED, depths[group.name], -group.line))


def _depths(inventory: Inventory) -> dict[str, int]:
    """How deep each group lies: ``all`` is 0, a group that is in no other is 1."""
    depths = {name: 0 if name == ALL else 1 for name in inventory.groups}
    # A depth grows with each level; groups that contain each other would grow for ever.
    for _ in range(len(depths)):
        grown = {
            child: max(depths[child], depths[group.name] + 1)
            for group in inventory.groups.values()
            for child in group.children
            if child in depths
        }
        if all(depths[child] == depth for child, depth in grown.items()):
            break
        depths |= grown
    return depths


def _value(variables: Variables, names: tuple[str, ...], default: str = "") -> str:
    """The first of these variables that is set to plain text; templates are Ansible's to fill in."""
    values = (variables[name][0] for name in names if name in variables)
    return next((value for value in values if value and "{{" not in value), default)


def _become(variables: Variables) -> str | None:
    if _value(variables, _BECOME).lower() not in _TRUE:
        return None
    return _value(variables, _BECOME_USER, "root")


def _ssh_arguments(builder: Builder, variables: Variables) -> tuple[str | None, tuple[Jump, ...]]:
    key_file, jumps = None, None
    for name in _ARGUMENTS:
        if name not in variables or "{{" in variables[name][0]:
            continue
        text, line = variables[name]
        arguments = parse_arguments(split_arguments(text))
        key_file = key_file or arguments.key_file
        jumps = jumps or arguments.jumps
        for option in arguments.rest:
            builder.note(line, f'ssh option "{option}"')
        for option, ours in (("-p", arguments.port), ("-l", arguments.user), ("-W", arguments.forwards)):
            if ours:
                builder.note(line, f'ssh option "{option}"')
        if arguments.destination:
            builder.note(line, f'the arguments in "{name}" that are no options')
    return key_file, jumps or ()


def _note_groups(inventory: Inventory, builder: Builder) -> None:
    for group in inventory.groups.values():
        if group.children and group.name != ALL:
            inside = ", ".join(group.children)
            builder.note(
                group.line, f'group "{group.name}" of the groups {inside}; name those clusters instead'
            )


def _note_variables(inventory: Inventory, builder: Builder) -> None:
    lines: dict[str, list[int]] = defaultdict(list)
    for name, value, line in _all_variables(inventory):
        if name in (*_PASSWORD, *_BECOME_PASSWORD):
            builder.note(line, _password_note(name))
        elif name not in _CARRIED or "{{" in value:
            lines[name].append(line)
    for name, places in lines.items():
        more = f" (and on {len(places) - 1} more lines)" if len(places) > 1 else ""
        builder.note(places[0], f'variable "{name}"{more}')


def _password_note(name: str) -> str:
    if name in _BECOME_PASSWORD:
        return f'"{name}", which is a secret; Longshore uses sudo without a password (sudo -n)'
    return f'"{name}", which is a secret; the fleet refers to it as {{env: NAME}}'


def _all_variables(inventory: Inventory) -> Iterator[tuple[str, str, int]]:
    sources = [*(group.variables for group in inventory.groups.values()), *inventory.hosts.values()]
    # The hosts of a range share one line.
    seen = dict.fromkeys(
        (name, value, line) for variables in sources for name, (value, line) in variables.items()
    )
    return iter(seen)
