"""Steps on Windows hosts: fields for the units of the host script, and no shell text of our own."""

from collections.abc import Callable
from typing import Any

from config.application import Action, Check, Fetch, Iis, Link, Service, Shell, Unpack, Upload
from config.errors import BadInputError
from tasks.actions.commands import host_and_port, sha256_of, summary_of
from tasks.actions.common import AnyStep, Fill, name_of, timeout_of, upload_of
from tasks.actions.words import parts_of

_ARCHIVES = (".zip", ".jar", ".war", ".nupkg")
_DEFAULT_SHELL: Shell = "powershell"


class WindowsStep(AnyStep):
    """One step on a Windows host.

    Attributes:
        shell: what carries out its commands.
        command: text of a person's, exactly; None where the step is no ``run``.
        directory: where it runs, as parts (see ``parts_of``); relative to the login's profile.
        environment: variables of its own, as parts.
        fields: what the unit of its kind reads.
    """

    shell: Shell = _DEFAULT_SHELL
    command: str | None = None
    directory: list[str] | None = None
    environment: tuple[tuple[str, list[str]], ...] = ()
    fields: dict[str, Any]


def windows_step(index: int, action: Action, fill: Fill) -> WindowsStep:
    """The step of one action.

    Raises:
        BadInputError: Windows hosts can't do this, or a field has a value that can't be.
    """
    if action.become not in (None, False):
        raise BadInputError("become is for Linux hosts; on Windows a step runs as the login")
    shell = action.shell or _DEFAULT_SHELL
    return WindowsStep(
        index=index,
        name=name_of(action, fill, summary_of(action, fill)),
        kind=action.kind,
        shell=shell,
        command=None if action.run is None else _text(action.run),
        directory=None if action.directory is None else parts_of(fill(action.directory)),
        environment=tuple((name, parts_of(fill(value))) for name, value in action.env.items()),
        fields={} if action.run is not None else _FIELDS[action.kind](action.detail, fill, shell),
        timeout=timeout_of(action),
        when=None if action.when is None else _text(action.when),
        keep_going=action.keep_going,
        idempotent=action.idempotent or action.fetch is not None,
        upload=upload_of(action, fill),
    )


def _text(command: str) -> str:
    if "\0" in command:
        raise BadInputError("the command has a NUL character in it")
    return command


def _fetch(detail: Fetch, fill: Fill, _shell: Shell) -> dict[str, Any]:
    _no_mode(detail.mode, usual="0644")
    return {
        "url": parts_of(fill(detail.url)),
        "to": parts_of(fill(detail.to)),
        "sha256": parts_of(sha256_of(fill(detail.sha256))),
    }


def _upload(detail: Upload, fill: Fill, _shell: Shell) -> dict[str, Any]:
    _no_mode(detail.mode, usual=None)
    declared = None if detail.sha256 is None else parts_of(sha256_of(fill(detail.sha256)))
    return {"to": parts_of(fill(detail.to)), "sha256": declared}


def _no_mode(mode: str | None, *, usual: str | None) -> None:
    if mode != usual:
        raise BadInputError("mode is for Linux hosts; on Windows a file has the rights of its folder")


def _unpack(detail: Unpack, fill: Fill, _shell: Shell) -> dict[str, Any]:
    archive = fill(detail.archive)
    if not archive.lower().endswith(_ARCHIVES):
        raise BadInputError(
            f"unpack: {detail.archive}: Windows hosts unpack zip archives ({', '.join(_ARCHIVES)})"
        )
    return {"archive": parts_of(archive), "to": parts_of(fill(detail.to))}


def _link(detail: Link, fill: Fill, _shell: Shell) -> dict[str, Any]:
    return {"link": parts_of(fill(detail.link)), "to": parts_of(fill(detail.to))}


def _service(detail: Service, fill: Fill, _shell: Shell) -> dict[str, Any]:
    if detail.command is not None:
        raise BadInputError("service: command is for Linux hosts; on Windows use run")
    if detail.state == "reloaded":
        raise BadInputError("service: reloaded is for Linux hosts; Windows services know restarted")
    return {"name": parts_of(fill(detail.name)), "state": detail.state}


def _check(detail: Check, fill: Fill, shell: Shell) -> dict[str, Any]:
    host, port = (None, 0) if detail.tcp is None else host_and_port(fill(detail.tcp))
    return {
        "http": None if detail.http is None else parts_of(fill(detail.http)),
        "host": None if host is None else parts_of(host),
        "port": port,
        "command": None if detail.command is None else _text(detail.command),
        "shell": shell,
        "status": detail.status,
        "within": detail.within,
        "every": detail.every,
    }


def _iis(detail: Iis, fill: Fill, _shell: Shell) -> dict[str, Any]:
    kind = "site" if detail.site is not None else "app_pool"
    return {"kind": kind, "name": parts_of(fill(detail.site or detail.app_pool or "")), "state": detail.state}


_FIELDS: dict[str, Callable[[Any, Fill, Shell], dict[str, Any]]] = {
    "fetch": _fetch,
    "upload": _upload,
    "unpack": _unpack,
    "link": _link,
    "service": _service,
    "check": _check,
    "iis": _iis,
}
