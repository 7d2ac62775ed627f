"""What must hold between the parts of an application, checked on its plain data."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from config.plain import mapping, text
from config.problems import Finding, Path, did_you_mean, listed
from config.templates import TemplateFieldError, is_template, undefined_names
from config.variables import unusable_name

TEMPLATE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "fetch": ("url", "to", "sha256", "mode"),
    "upload": ("from", "to", "sha256", "mode"),
    "unpack": ("archive", "to"),
    "link": ("from", "to"),
    "service": ("name",),
    "check": ("http", "tcp"),
    "iis": ("site", "app_pool"),
}
COMMAND_FIELDS: tuple[Path, ...] = (("run",), ("when",), ("service", "command"), ("check", "command"))
PLACEHOLDER_CHECKSUM = "..."
_NAME_IN_TEMPLATE = re.compile(r"\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*)")
_PORT = r"0*([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
_URL = re.compile(rf"https?://([^\s/@]*@)?(\[[^\[\]\s/]+\]|[^\s/:@?#]+)(:{_PORT})?([/?#]\S*)?")
_FORMS = {
    "sha256": (re.compile(r"[0-9A-Fa-f]{64}"), "a SHA-256 checksum of 64 hexadecimal digits"),
    "mode": (re.compile(r"[0-7]{3,4}"), 'an octal mode such as "0644"'),
    "url": (_URL, "an http:// or https:// URL"),
    "http": (_URL, "an http:// or https:// URL"),
    "tcp": (
        re.compile(rf"(\[[^\[\]]+\]|[^\s:\[\]]+):{_PORT}"),
        "host:port, an IPv6 address in brackets and a port from 1 to 65535",
    ),
}


def check_application(data: Any) -> Iterator[Finding]:
    """Everything that is wrong between the parts of an application."""
    parameters = mapping(data, "parameters")
    for name in parameters:
        if wrong := unusable_name(str(name)):
            yield Finding(path=("parameters", name), message=f"expected another name: {wrong}", at_key=True)
    actions = data.get("actions") if isinstance(data, dict) else None
    for index, action in enumerate(actions if isinstance(actions, list) else []):
        for finding in _action(action, parameters):
            yield finding.model_copy(update={"path": ("actions", index, *finding.path)})


def template_fields(action: Any) -> Iterator[tuple[Path, str]]:
    """The texts of an action, as its file has them, into which parameters are filled."""
    for kind, keys in TEMPLATE_FIELDS.items():
        for key in keys:
            if (value := text(mapping(action, kind), key)) is not None:
                yield (kind, key), value
    if (directory := text(action, "in")) is not None:
        yield ("in",), directory
    for name, value in mapping(action, "env").items():
        if isinstance(value, str):
            yield ("env", name), value


def malformed(path: Path, value: str) -> str | None:
    """What is wrong with the form of a field that is filled in, such as a checksum; None when nothing is."""
    form = _FORMS.get(str(path[-1])) if path[0] in TEMPLATE_FIELDS else None
    if form is None or form[0].fullmatch(value):
        return None
    return f'expected {form[1]}, found "{value}"'


def _action(action: Any, parameters: dict[str, Any]) -> Iterator[Finding]:
    for path, value in template_fields(action):
        yield from _template(path, value, parameters)
    for path in COMMAND_FIELDS:
        command = text(mapping(action, *map(str, path[:-1])), str(path[-1]))
        if command is not None and "{{" in command:
            yield _template_in_command(path, command)
    if is_template(text(action, "name") or ""):
        message = "expected plain text, as a name is shown as it stands, found a template"
        yield Finding(path=("name",), message=message)


def _template(path: Path, value: str, parameters: dict[str, Any]) -> Iterator[Finding]:
    try:
        names = sorted(undefined_names(value))
    except TemplateFieldError as error:
        yield Finding(path=path, message=f"expected a Jinja2 template, found one that is {error}")
        return
    for name in names:
        if name not in parameters:
            yield Finding(
                path=path,
                message=f'expected the name of a declared parameter, found "{name}"',
                hint=did_you_mean(name, parameters) or f"declared: {listed(parameters)}",
            )
        elif mapping(parameters, name).get("secret") is not None:
            yield Finding(
                path=path,
                message=f'expected no secret, as it would be written into the script, found "{name}"',
                hint=f'use "${name}" (an environment variable) in a command instead',
            )
    if not is_template(value) and value != PLACEHOLDER_CHECKSUM:
        wrong = malformed(path, value)
        if wrong is not None:
            yield Finding(path=path, message=wrong)


def _template_in_command(path: Path, command: str) -> Finding:
    match = _NAME_IN_TEMPLATE.search(command)
    name = match[1] if match else "version"
    return Finding(
        path=path,
        message="expected a shell command, which gets parameters as variables, found a template",
        hint=f'use "${name}" (an environment variable) instead',
    )
