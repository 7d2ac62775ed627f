"""An Ansible inventory in YAML: what can't be read of it becomes notes."""

from typing import Any

from config.importing.inventory import Inventory, Variables
from config.positions import Document, Repeated, place_of
from config.problems import Path, did_you_mean, dotted

_KEYS = ("hosts", "vars", "children")


def read_yaml_inventory(document: Document, file: str) -> Inventory:
    """Read an inventory in Ansible's YAML format."""
    reader = _Reader(document, file)
    reader.read()
    return reader.inventory


class _Reader:
    def __init__(self, document: Document, file: str) -> None:
        self.inventory = Inventory(file=file)
        self._document = document
        # A key that stands twice has a first value, which is good; anything else is no value to go by.
        amiss = [each.path for each in document.findings if not isinstance(each, Repeated)]
        self._amiss = {path[:length] for path in amiss for length in range(1, len(path) + 1)}

    def read(self) -> None:
        for finding in self._document.findings:
            place = f"{dotted(finding.path)}: " if finding.path else ""
            left = "; the second was left out" if isinstance(finding, Repeated) else ""
            self.inventory.note(place_of(self._document, finding)[0], f"{place}{finding.message}{left}")
        for name, group in self._mapping(self._document.data, (), "groups with hosts").items():
            self._group(name, group, (name,))

    def _group(self, name: str, data: Any, path: Path) -> None:
        """Read a group; groups lie in ``children`` of each other, to any depth."""
        group = self.inventory.group(name, self._line(path))
        parts = self._mapping(data, path, "hosts, vars and children")
        for key in parts:
            if key not in _KEYS:
                hint = did_you_mean(key, _KEYS) or "known are hosts, vars and children"
                self._note((*path, key), f'the key "{key}" of group "{name}" means nothing; {hint}')
        group.variables.update(self._variables(parts.get("vars"), (*path, "vars")))
        hosts = (*path, "hosts")
        for host, own in self._named(parts.get("hosts"), hosts, "hosts").items():
            variables = self._variables(own, (*hosts, host))
            self.inventory.add_host(group, host, variables, self._line((*hosts, host)))
        children = (*path, "children")
        for child, inside in self._named(parts.get("children"), children, "groups").items():
            group.children.append(child)
            self._group(child, inside, (*children, child))

    def _named(self, value: Any, path: Path, of: str) -> dict[str, Any]:
        """A mapping from names; one name may stand there by itself, as Ansible has it."""
        return {value: None} if isinstance(value, str) and value else self._mapping(value, path, of)

    def _variables(self, value: Any, path: Path) -> Variables:
        return {
            # The key tells that there is one, such as a password, though its value is of no use.
            key: ("" if (*path, key) in self._amiss else _as_text(found), self._line((*path, key)))
            for key, found in self._mapping(value, path, "variables").items()
        }

    def _mapping(self, value: Any, path: Path, of: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        if value is not None:
            kind = "a list, of which nothing was read" if isinstance(value, list) else "something else"
            hint = '; each name is followed by ":"' if of in ("hosts", "groups") else ""
            place = f"{dotted(path)}: " if path else ""
            # What stands there is not shown: it may be a secret.
            self._note(path, f"{place}expected a mapping of {of}, found {kind}{hint}")
        return {}

    def _note(self, path: Path, text: str) -> None:
        self.inventory.note(self._line(path), text)

    def _line(self, path: Path) -> int:
        return self._document.place(path, at_key=True)[0]


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_as_text(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
