"""What a model finds wrong with data, in words that name what was expected and what was found."""

import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.fleet import SecretReference
from config.problems import Finding, Path, did_you_mean, listed
from config.values import Words

QUOTE_IT = "write it in quotes"
_LONGEST_SHOWN = 60
_PLAIN = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
_REFERENCE_HINT = "secrets are not written here: say where the worker finds it, {env: NAME} or {file: PATH}"


def findings_of(error: ValidationError, model: type[BaseModel]) -> Iterator[Finding]:
    """Everything that ``model`` found wrong, each with its path in the data."""
    for detail in error.errors(include_url=False):
        # pydantic also calls a list too short when its items are what is wrong.
        if detail["type"] != "too_short" or not detail["input"]:
            yield _finding(detail, model)


def found(value: Any) -> str:
    """A value as the end of the sentence "expected ..., found ..."."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            shown = value if len(value) <= _LONGEST_SHOWN else value[: _LONGEST_SHOWN - 3] + "..."
            return '"' + shown.encode("unicode_escape").decode().replace('"', '\\"') + '"'
        case dict():
            return "a mapping"
        case _:
            return "a list" if value else "an empty list"


def expected(annotation: Any) -> str:
    """What a field of this type holds, as the middle of the sentence "expected ..., found ..."."""
    words = next((item for item in _metadata(annotation) if isinstance(item, Words)), None)
    if words is not None:
        return words.expected
    kind = _bare(annotation)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(kind))
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(expected(choice) for choice in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return f"a mapping with {listed(_keys(kind))}"
    if get_origin(kind) is dict:
        return "a mapping"
    return "a list" if get_origin(kind) is tuple else _PLAIN.get(kind, "a value")


def _finding(detail: ErrorDetails, model: type[BaseModel]) -> Finding:
    path, annotation, inside_secret = _follow(detail["loc"], model)
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        return _unknown_key(path, annotation)
    if kind == "missing":
        return Finding(path=path, message=f"expected {expected(annotation)}, found no such key", at_key=True)
    if detail["loc"][-1:] == ("[key]",):
        return Finding(
            path=path, message=f"expected {expected(annotation)}, found {found(value)}", at_key=True
        )
    if kind == "value_error":
        text = str(detail.get("ctx", {}).get("error", ""))
        message = text if "found" in text else f"{text}, found {_seen(value, hidden=inside_secret)}"
        return Finding(path=path, message=message, hint=_hint(annotation, value))
    message = f"expected {expected(annotation)}, found {_seen(value, hidden=inside_secret)}"
    return Finding(path=path, message=message, hint=_hint(annotation, value))


def _seen(value: Any, *, hidden: bool) -> str:
    """``found``, except where a person may have put a secret in place of its reference."""
    return "something else" if hidden and isinstance(value, str | int | float) else found(value)


def _unknown_key(path: Path, annotation: Any) -> Finding:
    keys = _keys(annotation) if isinstance(annotation, type) and issubclass(annotation, BaseModel) else ()
    key = str(path[-1])
    return Finding(
        path=path,
        message=f'expected one of the keys {", ".join(keys)}, found "{key}"',
        hint=did_you_mean(key, keys),
        at_key=True,
    )


def _hint(annotation: Any, value: Any) -> str:
    bare = _bare(annotation)
    if bare is SecretReference and isinstance(value, str | int | float):
        return _REFERENCE_HINT
    if bare is str and isinstance(value, bool | int | float):
        return QUOTE_IT
    if get_origin(bare) is Literal and isinstance(value, str):
        return did_you_mean(value, [str(choice) for choice in get_args(bare)])
    if isinstance(value, str):
        return _address_hint(annotation, value)
    return ""


def _address_hint(annotation: Any, value: str) -> str:
    words = [item.expected for item in _metadata(annotation) if isinstance(item, Words)]
    if words != ["an IPv4 or IPv6 address or a host name"]:
        return ""
    if "@" in value:
        return "the user belongs into a credential"
    if value.startswith("["):
        return "an IPv6 address stands without brackets, and the port in its own key"
    if value.count(":") == 1:
        return "the port has its own key"
    return ""


def _follow(location: tuple[int | str, ...], model: type[BaseModel]) -> tuple[Path, Any, bool]:
    """The path in the data, the type of what is expected there, and whether it is in a secret reference.

    pydantic's location also names members of unions and marks keys; those stand in no file. For an
    unknown key the type is that of the mapping which doesn't know it.
    """
    path: list[str | int] = []
    annotation: Any = model
    around: Any = None
    inside_secret = False
    for index, part in enumerate(location):
        if part == "[key]":
            return tuple(path), get_args(_bare(around))[0], False
        around = annotation
        kind = _bare(annotation)
        inside_secret = inside_secret or kind is SecretReference
        if get_origin(kind) in (Union, types.UnionType):
            if index + 1 < len(location):
                annotation = next(choice for choice in get_args(kind) if part in _tags(choice))
            continue
        path.append(part)
        annotation = _inside(kind, part)
    return tuple(path), annotation, inside_secret or _bare(annotation) is SecretReference


def _inside(kind: Any, part: int | str) -> Any:
    if get_origin(kind) in (dict, tuple):
        return get_args(kind)[1 if get_origin(kind) is dict else 0]
    for name, field in kind.model_fields.items():
        if part == (field.alias or name):
            return _hints(kind)[name]
    return kind


@cache
def _hints(model: type[BaseModel]) -> dict[str, Any]:
    return get_type_hints(model, include_extras=True)


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _metadata(annotation: Any) -> tuple[Any, ...]:
    annotation = _without_none(annotation)
    return annotation.__metadata__ if get_origin(annotation) is Annotated else ()


def _tags(annotation: Any) -> list[str]:
    return [item.tag for item in _metadata(annotation) if hasattr(item, "tag")]


def _bare(annotation: Any) -> Any:
    annotation = _without_none(annotation)
    return _bare(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        choices = [choice for choice in get_args(annotation) if choice is not types.NoneType]
        return choices[0] if len(choices) == 1 else annotation
    return annotation
