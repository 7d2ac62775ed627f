"""YAML text as plain data that remembers where in the file everything stands."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from config.plain import is_utf8
from config.problems import Finding, Path

_TAG = "tag:yaml.org,2002:"
_NUMBERS = {_TAG + "int": "construct_yaml_int", _TAG + "float": "construct_yaml_float"}
_TEXTS = {_TAG + kind for kind in ("str", "timestamp", "merge", "value")}
_LONGEST_NUMBER = 100  # characters; Python refuses to write down numbers of more than 4,300 digits
_DEEPEST = 40  # a fleet is 7 deep; a file made to exhaust the stack is refused instead

Place = tuple[int, int]
"""A line and a column, both from 1."""


class YamlSyntaxError(Exception):
    """The text is not YAML; reading stopped at its first mistake.

    Attributes:
        place: where reading stopped.
        message: what was expected, and what was found.
        hint: what to try; empty when nothing is likely.
    """

    def __init__(self, *, place: Place, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.place = place
        self.message = message
        self.hint = hint


@dataclass(frozen=True, kw_only=True)
class Document:
    """The data of one file.

    Attributes:
        data: mappings, lists, texts, numbers, booleans and None; the keys of mappings are texts as written.
        findings: what is YAML and still no data: keys that stand twice, keys that are no text, tags.
    """

    data: Any
    findings: tuple[Finding, ...] = ()
    _root: Node | None = field(default=None, repr=False)
    _keys: dict[int, dict[str, tuple[Node, Node]]] = field(default_factory=dict, repr=False)

    def place(self, path: Path, *, at_key: bool = False) -> Place:
        """Where a value stands, or its key; for what is absent, the nearest thing around it."""
        node, key = self._nearest(path)
        empty = (
            isinstance(node, ScalarNode) and not node.value and node.start_mark.index == node.end_mark.index
        )
        # An empty value is said to stand where the next token does, which may be lines away.
        found = key if key is not None and (at_key or node is None or empty) else node
        return (1, 1) if found is None else _place(found)

    def written(self, path: Path) -> str | None:
        """A scalar as the file has it, such as ``1.10`` or ``0644``; None for anything else."""
        node, _ = self._nearest(path)
        return node.value if isinstance(node, ScalarNode) else None

    def node(self, path: Path) -> Node | None:
        """What stands in the file at a path; None when nothing does."""
        node = self._root
        for part in path:
            step = self._step(node, part)
            if step is None:
                return None
            node = step[1]
        return node

    def _nearest(self, path: Path) -> tuple[Node | None, Node | None]:
        node, key = self._root, None
        for part in path:
            step = self._step(node, part)
            if step is None:
                # What a mapping lacks is shown at the mapping's key, where a person adds it.
                return (key or node) if isinstance(node, MappingNode) else node, key
            key, node = step
        return node, key

    def _step(self, node: Node | None, part: str | int) -> tuple[Node | None, Node] | None:
        if isinstance(node, MappingNode):
            # A mapping of 10,000 hosts, each with a problem, is indexed once, not walked 10,000 times.
            if id(node) not in self._keys:
                pairs = [pair for pair in node.value if isinstance(pair[0], ScalarNode)]
                self._keys[id(node)] = {key.value: (key, value) for key, value in reversed(pairs)}
            return self._keys[id(node)].get(str(part))
        if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            return None, node.value[part]
        return None


def read_yaml(text: str) -> Document:
    """Parse one YAML 1.2 document.

    Only the node graph is taken from the library: its constructors keep positions for some values
    and stop at the first duplicate key.

    Raises:
        YamlSyntaxError: the text is not YAML, or several documents.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = _DEEPEST
    yaml.composer.warn_double_anchors = False
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        raise _syntax_problem(error) from None
    except ReaderError as error:
        message = f"expected printable text, found the character U+{error.character:04X}"
        raise YamlSyntaxError(place=place_at(text[: error.position]), message=message) from None
    builder = _Builder(yaml)
    data = None if root is None else builder.build(root, ())
    return Document(data=data, findings=tuple(builder.findings), _root=root)


class _Builder:
    """Builds data from nodes, gathering what is wrong instead of stopping."""

    def __init__(self, yaml: YAML) -> None:
        self.findings: list[Finding] = []
        self._constructor = yaml.constructor
        self._open: set[int] = set()
        self._built: dict[int, Any] = {}

    def build(self, node: Node, path: Path) -> Any:
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            self._found(path, "expected plain data, found an alias that contains itself")
            return None
        if id(node) in self._built:  # an alias; aliases of aliases would otherwise grow without end
            return self._built[id(node)]
        if str(node.tag) not in (_TAG + "map", _TAG + "seq"):
            self._found(path, f"expected plain data, found the tag {node.tag}", "leave the tag out")
        self._open.add(id(node))
        built: Any
        if isinstance(node, MappingNode):
            built = {key: self.build(value, (*path, key)) for key, value in self._pairs(node, path)}
        else:
            built = [self.build(value, (*path, index)) for index, value in enumerate(node.value)]
        self._open.discard(id(node))
        self._built[id(node)] = built
        return built

    def _pairs(self, node: MappingNode, path: Path) -> Iterator[tuple[str, Node]]:
        first: dict[str, Place] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._found(
                    path,
                    "expected a key that is plain text, found a mapping or list",
                    'a template stands in quotes: "{{ version }}"',
                )
            elif key.value in first:
                line, column = first[key.value]
                self.findings.append(
                    Repeated(
                        path=(*path, key.value),
                        message=f"expected each key once, found it a second time (first at {line}:{column})",
                        place=_place(key),
                    )
                )
            else:
                first[key.value] = _place(key)
                yield key.value, value

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        tag = str(node.tag)
        if tag in _TEXTS:
            if not is_utf8(node.value):
                self._found(
                    path,
                    "expected text, found half a character",
                    "write the character itself, not its escapes",
                )
            return node.value
        if tag == _TAG + "null":
            return None
        if tag == _TAG + "bool":
            return node.value.lower() in ("true", "yes", "on")
        if tag in _NUMBERS:
            if len(node.value) > _LONGEST_NUMBER:
                self._found(
                    path,
                    f"expected a number of at most {_LONGEST_NUMBER} characters, found {len(node.value)}",
                    "text of digits stands in quotes",
                )
                return node.value
            with suppress(ValueError):  # "!!int x": an explicit tag on what is no number
                return getattr(self._constructor, _NUMBERS[tag])(node)
        self._found(path, f"expected plain data, found the tag {tag}", "leave the tag out")
        return node.value

    def _found(self, path: Path, message: str, hint: str = "") -> None:
        self.findings.append(Finding(path=path, message=message, hint=hint))


class Repeated(Finding):
    """A key that stands a second time: its path leads to the first, so it carries its place itself."""

    place: Place


def place_at(before: str) -> Place:
    """The place behind the text ``before``."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def place_of(document: Document, finding: Finding) -> Place:
    """Where a finding stands in its file."""
    if isinstance(finding, Repeated):
        return finding.place
    return document.place(finding.path, at_key=finding.at_key)


def _place(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _syntax_problem(error: MarkedYAMLError) -> YamlSyntaxError:
    mark = error.problem_mark or error.context_mark
    message = "expected valid YAML, found a problem"
    details = [text for text in (error.context, error.problem) if text]
    if details:
        message = "not valid YAML: " + ", ".join(" ".join(str(text).split()) for text in details)
    if error.context_mark is not None and error.context_mark is not mark:
        message += f" (begun at {error.context_mark.line + 1}:{error.context_mark.column + 1})"
    place = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
    return YamlSyntaxError(place=place, message=message, hint=_syntax_hint(str(error.problem)))


def _syntax_hint(problem: str) -> str:
    if "'\\t'" in problem or "\t" in problem:
        return "indent with spaces, not with tabs"
    if "mapping values are not allowed" in problem:
        return 'put text with ": " in it in quotes, and check the indentation'
    if "cannot start any token" in problem:
        return "put text that begins with this character in quotes"
    if "another document" in problem:
        return "keep one document in a file"
    return ""
