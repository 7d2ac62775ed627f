"""The driver: what a worker runs on a host to start, follow, ask, stop or feed a run."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from pydantic import Field

from config.errors import BadInputError
from config.fleet import OperatingSystem
from config.values import Name, Value
from config.variables import LARGEST_ENVIRONMENT, unusable_name, unusable_on_windows, unusable_value
from tasks.hostscript.shell import one_line, quote, shell_text

EXIT_FAILED = 69
EXIT_BUSY = 75
EXIT_REFUSED = 76
EXIT_ALIVE = 77

TOOL_PACKAGES = {
    "setsid": "util-linux",
    "nc": "netcat-openbsd",
    "systemctl": "systemd",
} | dict.fromkeys(("head", "tail", "sleep", "wc", "mkdir", "mv", "rm", "sha256sum"), "coreutils")
"""Debian's package of a tool that a host may lack; any other is of its tool's name."""

OWN_VARIABLES = frozenset(("LONGSHORE_RUN", "LONGSHORE_APPLICATION", "LONGSHORE_HOST", "LONGSHORE_BATCH"))
_STOP_GRACE = 10
_DETACHED = ("run", "resume")
_FOLLOWING = ("process", "driver", "state", "follow")
_MODE_FILES = {
    "run": _FOLLOWING,
    "resume": _FOLLOWING,
    "attach": _FOLLOWING,
    "probe": _FOLLOWING,
    "stop": ("process", "driver", "state", "stop"),
}


class Token(Value):
    """The fencing token of whoever may drive a run on its host; the larger one wins."""

    epoch: int = Field(ge=0)
    number: int = Field(ge=0)


class HostRun(Value):
    """One run on one host, as its drivers name it.

    Attributes:
        marker: the same for every driver of the run; see :func:`marker_from`.
        work_directory: relative to the login's home, or absolute.
    """

    run_id: Name
    marker: str = Field(pattern=r"^[A-Za-z0-9-]{8,64}$")
    token: Token
    work_directory: str = Field(default=".longshore", min_length=1, pattern=r"^[^\x00-\x1f]+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A command line for the host, and the bytes that go to its standard input, which then stays open.

    ``stdin`` carries secrets, and so shows in no repr.
    """

    command: str
    stdin: bytes = field(repr=False)


def marker_from(entropy: bytes) -> str:
    """A run's marker, from at least 8 random bytes."""
    if len(entropy) < 8:  # noqa: PLR2004 - as said
        raise ValueError("a marker takes at least 8 random bytes")
    return f"ls-{entropy.hex()}"


def environment_of(
    parameters: Mapping[str, str], *, run_id: str, application: str, host: str, batch: int
) -> dict[str, str]:
    """What steps find in their environment: the parameters, and where they are."""
    return dict(parameters) | {
        "LONGSHORE_RUN": run_id,
        "LONGSHORE_APPLICATION": application,
        "LONGSHORE_HOST": host,
        "LONGSHORE_BATCH": str(batch),
    }


def run(where: HostRun, script: bytes, environment: Mapping[str, str], *, offset: int = 0) -> Invocation:
    """Begin the run if it never began, and follow its log from byte ``offset`` on.

    Raises:
        BadInputError: a variable can't be handed over.
    """
    return _invocation("run", where, str(offset), script=script, environment=environment)


def attach(where: HostRun, *, offset: int = 0) -> Invocation:
    """Follow the run's log from byte ``offset`` on; begins nothing."""
    return _invocation("attach", where, str(offset))


def resume(
    where: HostRun, script: bytes, environment: Mapping[str, str], *, first_step: int, offset: int = 0
) -> Invocation:
    """Go on at ``first_step`` with a run whose runner is gone, and follow.

    Whoever asks answers for it that this step has not begun, or may run twice.

    Raises:
        BadInputError: a variable can't be handed over.
    """
    return _invocation("resume", where, str(offset), str(first_step), script=script, environment=environment)


def probe(where: HostRun) -> Invocation:
    """Ask how the run stands; claims nothing, changes nothing."""
    return _invocation("probe", where)


def stop(where: HostRun, *, grace: int = _STOP_GRACE) -> Invocation:
    """End the run's processes: TERM, after ``grace`` seconds KILL, until they are confirmed gone."""
    return _invocation("stop", where, str(grace))


def put(where: HostRun, name: str, *, size: int, sha256: str) -> Invocation:
    """Receive an upload: ``size`` bytes of content follow the invocation's own standard input.

    Args:
        where: the run.
        name: ``<index of the step>.file``, or ``.tar`` for a folder as a tar archive.
        size: of the content, in bytes.
        sha256: of the content, in hexadecimal.
    """
    return _invocation("put", where, name, str(size), sha256)


def _invocation(
    mode: str,
    where: HostRun,
    *arguments: str,
    script: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> Invocation:
    words = " ".join((mode, where.run_id, str(where.token.epoch), str(where.token.number), *arguments))
    if mode == "put":
        text = one_line("driver", "put")
        places = f"{where.marker}\n{where.work_directory}\n"
        return Invocation(
            command=f"exec sh -c '{text}; __put \"$@\"' longshore {words}", stdin=_encoded(places)
        )
    head = f"__m={where.marker}\n__work={quote(where.work_directory)}\n{_mode_text(mode)}"
    # A complete compound command or nothing: cut short anywhere, no part of this runs.
    tail = f'{{ __{mode} "$@"; }}\n'
    if mode in _DETACHED:
        tail = f"__env() {{\n:\n{_exports(environment or {})}}}\n{tail}"
    # The login shell waits: sshd ends a command's input with the process that it started itself.
    command = f"setsid sh -s {words} && true" if mode in _DETACHED else f"exec sh -s {words}"
    return Invocation(command=command, stdin=_encoded(head) + script + _encoded(tail))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _exports(environment: Mapping[str, str]) -> str:
    check_environment(environment, own=OWN_VARIABLES)
    return "".join(f"export {name}={quote(value)}\n" for name, value in environment.items())


def check_environment(
    environment: Mapping[str, str], *, own: Collection[str] = (), os: OperatingSystem = "linux"
) -> None:
    """Whether these can be environment variables on a host; a value never shows in the error.

    Args:
        environment: by name.
        own: names that are Longshore's own, and so no parameter's.
        os: what the host runs.

    Raises:
        BadInputError: they can't, and why.
    """
    size = 0
    for name, value in environment.items():
        wrong = None if name in own else unusable_name(name)
        if os == "windows" and name not in own:
            wrong = wrong or unusable_on_windows(name, value, environment)
        if wrong := wrong or unusable_value(value):
            raise BadInputError(f"parameter {name!r}: {wrong}")
        size += len(name) + len(quote(value).encode("utf-8", "surrogateescape"))
    if size > LARGEST_ENVIRONMENT:
        raise BadInputError(
            f"the parameters are {size} bytes together; a host takes {LARGEST_ENVIRONMENT} at most"
        )


@lru_cache(maxsize=16)
def _mode_text(mode: str) -> str:
    return "".join(shell_text(name) for name in _MODE_FILES[mode])
