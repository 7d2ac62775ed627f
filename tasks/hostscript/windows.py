"""The host script of Windows hosts: units of PowerShell, and one JSON document with all that varies.

No value becomes part of PowerShell text, and none stands on a command line.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from config.values import FolderFormat
from tasks.actions.windows import WindowsStep
from tasks.hostscript.driver import OWN_VARIABLES, HostRun, Invocation, check_environment

_FOLLOWING = ("process", "state", "follow")
_UNITS_OF_MODE = {
    "run": (*_FOLLOWING, "start", "runner", "text"),
    "resume": (*_FOLLOWING, "start", "runner", "text"),
    "attach": _FOLLOWING,
    "probe": ("process", "state"),
    "stop": ("process", "state", "stop"),
    "put": ("process", "hash", "put"),
    "verify": ("verify",),
}
_UNITS_OF_KIND = {
    "run": (),
    "fetch": ("hash", "files", "fetch"),
    "upload": ("hash", "files", "install"),
    "unpack": ("files", "unpack"),
    "link": ("link",),
    "service": ("service",),
    "check": ("check",),
    "iis": ("iis",),
}
# With any other format PowerShell reads standard input by itself, for $input, beside the script that reads it
# (its ConsoleHost: Executor reads input objects, WrappedDeserializer does nothing for None).
_OPTIONS = "-NoProfile -NonInteractive -ExecutionPolicy Bypass -InputFormat None -EncodedCommand"

# The units read these in every mode, and in strict mode PowerShell ends at a field that isn't there.
_NO_RUN = {"run": "", "marker": ""}


class WindowsScript:
    """The script of one run: the same for every host, and free of secrets."""

    folder_format: FolderFormat = "zip"
    resumable_uploads = True

    def __init__(self, steps: Sequence[WindowsStep], *, detached: bool = True) -> None:
        """Compile ``steps``.

        Args:
            steps: in order, their indices counting from 1.
            detached: the runner outlives the WinRM shell, started through WMI; else it is the shell's child.
        """
        kinds = (unit for step in steps for unit in _UNITS_OF_KIND[step.kind])
        self._units = tuple(dict.fromkeys(kinds))
        self._steps = [_step(step) for step in steps]
        self._detached = detached

    def run(self, where: HostRun, environment: Mapping[str, str], *, offset: int = 0) -> Invocation:
        """Begin the run if it never began, and follow its log from byte ``offset`` on.

        Raises:
            BadInputError: a variable can't be handed over.
        """
        return self._beginning("run", where, environment, first_step=1, offset=offset)

    def resume(
        self, where: HostRun, environment: Mapping[str, str], *, first_step: int, offset: int = 0
    ) -> Invocation:
        """Go on at ``first_step`` with a run whose runner is gone, and follow.

        Raises:
            BadInputError: a variable can't be handed over.
        """
        return self._beginning("resume", where, environment, first_step=first_step, offset=offset)

    def _beginning(
        self, mode: str, where: HostRun, environment: Mapping[str, str], *, first_step: int, offset: int
    ) -> Invocation:
        check_environment(environment, own=OWN_VARIABLES, os="windows")
        return _invocation(
            mode,
            where,
            self._units,
            offset=offset,
            first_step=first_step,
            detached=self._detached,
            pipe=constant_text("pipe"),
            environment=[{"name": name, "value": value} for name, value in environment.items()],
            steps=self._steps,
        )

    def attach(self, where: HostRun, *, offset: int = 0) -> Invocation:
        """Follow the run's log; begins nothing."""
        return _invocation("attach", where, offset=offset)

    def probe(self, where: HostRun) -> Invocation:
        """Ask how the run stands; changes nothing."""
        return _invocation("probe", where)

    def stop(self, where: HostRun, *, grace: int) -> Invocation:
        """End the run's processes, until they are confirmed gone."""
        return _invocation("stop", where, grace=grace)

    def put(self, where: HostRun, name: str, *, size: int, sha256: str) -> Invocation:
        """Receive an upload; the driver says how much of it is there, and the rest follows."""
        return _invocation("put", where, name=name, size=size, sha256=sha256)


def verification(work_directory: str, *, detached: bool) -> Invocation:
    """Prove what a deployment needs of a host; one line per stage, as ``verify.sh`` prints them."""
    return _shipped("verify", (), {**_NO_RUN, "mode": "verify", "work": work_directory, "detached": detached})


def unit_names() -> tuple[str, ...]:
    """Every unit that a script may have."""
    names = [*_UNITS_OF_MODE.values(), *_UNITS_OF_KIND.values(), ("base",)]
    return tuple(sorted({name for group in names for name in group}))


@lru_cache(maxsize=32)
def unit_text(name: str) -> str:
    """The text of one unit, or of ``bootstrap`` or ``pipe``, as its file has it."""
    return files("tasks.hostscript").joinpath(f"powershell/{name}.ps1").read_text(encoding="utf-8")


def constant_text(name: str) -> str:
    """The text of ``bootstrap`` or ``pipe`` as it stands on a command line, without what only people read."""
    lines = unit_text(name).splitlines()
    return "\n".join(line.strip() for line in lines if not line.lstrip().startswith("#"))


@lru_cache(maxsize=1)
def _command() -> str:
    encoded = base64.b64encode(constant_text("bootstrap").encode("utf-16-le")).decode()
    return f"powershell.exe {_OPTIONS} {encoded}"


@lru_cache(maxsize=32)
def _script(mode: str, units: tuple[str, ...]) -> bytes:
    names = dict.fromkeys(("base", *_UNITS_OF_MODE[mode], *units))
    return "".join(f"#unit {name}\n{unit_text(name)}" for name in names).encode()


def _invocation(mode: str, where: HostRun, units: tuple[str, ...] = (), **more: Any) -> Invocation:
    data = {
        "mode": mode,
        "run": where.run_id,
        "marker": where.marker,
        "epoch": where.token.epoch,
        "number": where.token.number,
        "work": where.work_directory,
        **more,
    }
    return _shipped(mode, units, data)


def _shipped(mode: str, units: tuple[str, ...], data: Mapping[str, Any]) -> Invocation:
    # In ASCII, whatever is in it: no code page on the way can change it.
    document = json.dumps(data, separators=(",", ":")).encode()
    script = _script(mode, units)
    header = f"longshore {len(script)} {len(document)}\n".encode()
    return Invocation(command=_command(), stdin=header + script + document)


def _step(step: WindowsStep) -> dict[str, Any]:
    return {
        "index": step.index,
        "kind": step.kind,
        "shell": step.shell,
        "command": step.command,
        "directory": step.directory,
        "environment": [{"name": name, "parts": parts} for name, parts in step.environment],
        "timeout": step.timeout,
        "when": step.when,
        "keep_going": step.keep_going,
        "fields": step.fields,
    }
