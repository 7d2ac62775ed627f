"""What each kind of action runs on the host, as shell text that calls the helpers of its kind."""

import re
from collections.abc import Callable
from typing import Any

from config.application import Action, Check, Fetch, Link, Service, Unpack, Upload
from config.errors import BadInputError
from tasks.actions.words import shell_word
from tasks.hostscript.shell import quote

Fill = Callable[[str], str]
_VERBS = {
    "started": "start",
    "stopped": "stop",
    "restarted": "restart",
    "reloaded": "reload",
    "enabled": "enable",
    "disabled": "disable",
}
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_MODE = re.compile(r"[0-7]{3,4}")
_PORT_LIMIT = 65_535


def command_of(action: Action, fill: Fill) -> str:
    """The shell text of ``action``, its fields filled in by ``fill``.

    Raises:
        BadInputError: a field has a value that can't be.
    """
    return _COMMANDS[action.kind](action.detail, fill)


def needs_helpers(action: Action) -> bool:
    """Whether the text of ``action`` calls the helpers of its kind."""
    return action.kind != "run" and not (action.service is not None and action.service.command is not None)


def summary_of(action: Action, fill: Fill) -> str:
    """A few words for people on what ``action`` does."""
    detail = action.detail
    if isinstance(detail, str):
        return detail
    if isinstance(detail, Check):
        return "check " + (detail.command or _shown(detail.http or detail.tcp or "", fill))
    return f"{action.kind} {_object_of(detail, fill)}"


def _object_of(detail: Any, fill: Fill) -> str:
    if isinstance(detail, Fetch | Upload):
        return _last_part(_shown(detail.to, fill))
    if isinstance(detail, Unpack):
        return _last_part(_shown(detail.archive, fill))
    if isinstance(detail, Link):
        return _shown(detail.link, fill)
    name = detail.name if isinstance(detail, Service) else detail.site or detail.app_pool
    return f"{_shown(name, fill)} {detail.state}"


def _shown(text: str, fill: Fill) -> str:
    filled = fill(text)
    # A secret's stand-in: the template itself tells what it is without telling it.
    return text if not filled.isprintable() else filled


def _last_part(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2] or path


def _run(text: str, _fill: Fill) -> str:
    return _evaluated(text)


def _evaluated(text: str) -> str:
    if "\0" in text:
        raise BadInputError("the command has a NUL character in it")
    # eval is what keeps a syntax error in one step from being one in the whole script.
    return "eval " + quote(f" {text}" if text.startswith("-") else text)


def _fetch(detail: Fetch, fill: Fill) -> str:
    words = (detail.url, detail.to, sha256_of(fill(detail.sha256)), _mode(detail.mode))
    return "__fetch " + " ".join(shell_word(fill(word)) for word in words)


def _upload(detail: Upload, fill: Fill) -> str:
    declared = "" if detail.sha256 is None else sha256_of(fill(detail.sha256))
    mode = "" if detail.mode is None else _mode(detail.mode)
    return f"__install {shell_word(fill(detail.to))} {quote(mode)} {quote(declared)}"


def _unpack(detail: Unpack, fill: Fill) -> str:
    return f"__unpack {shell_word(fill(detail.archive))} {shell_word(fill(detail.to))}"


def _link(detail: Link, fill: Fill) -> str:
    return f"__link {shell_word(fill(detail.link))} {shell_word(fill(detail.to))}"


def _service(detail: Service, fill: Fill) -> str:
    verb = _VERBS[detail.state]
    if detail.command is not None:
        return _evaluated(f"{detail.command} {verb}")
    return f"__service {shell_word(fill(detail.name))} {verb}"


def _check(detail: Check, fill: Fill) -> str:
    every = f"__check {round(detail.within * 100)} {detail.every:g}"
    if detail.http is not None:
        return f"{every} __http {shell_word(fill(detail.http))} {detail.status}"
    if detail.tcp is not None:
        host, port = host_and_port(fill(detail.tcp))
        return f"{every} __tcp {shell_word(host)} {port}"
    if detail.command is None:
        raise BadInputError("expected exactly one of http, tcp and command")
    return f"{every} __holds {quote(detail.command)}"


def host_and_port(text: str) -> tuple[str, int]:
    """The two parts of ``host:port``.

    Raises:
        BadInputError: it isn't that.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= _PORT_LIMIT:
        raise BadInputError(f"tcp: {text!r}: expected host:port, such as 127.0.0.1:8080 or [::1]:8080")
    return host.removeprefix("[").removesuffix("]"), int(port)


def sha256_of(text: str) -> str:
    """A checksum in lower case.

    Raises:
        BadInputError: it isn't one.
    """
    if not _SHA256.fullmatch(text):
        raise BadInputError("sha256: expected 64 hexadecimal digits")
    return text.lower()


def _mode(text: str) -> str:
    if not _MODE.fullmatch(text):
        raise BadInputError(f"mode: {text!r}: expected an octal mode such as 0644")
    return text


_COMMANDS: dict[str, Callable[[Any, Fill], str]] = {
    "run": _run,
    "fetch": _fetch,
    "upload": _upload,
    "unpack": _unpack,
    "link": _link,
    "service": _service,
    "check": _check,
}
