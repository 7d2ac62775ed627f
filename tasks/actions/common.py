"""What steps of every operating system have in common."""

import math
from collections.abc import Callable, Mapping

from config.application import Action
from config.fleet import Become
from config.values import Value
from tasks.actions.words import clear_text

Render = Callable[[str, Mapping[str, str]], str]
Fill = Callable[[str], str]
_NAME_LENGTH = 72
_CHECK_MARGIN = 10


class UploadSource(Value):
    """What a worker puts on the host before the script is started.

    Attributes:
        source: path of a file or folder on the worker's machine.
        sha256: of a file, when declared.
    """

    source: str
    sha256: str | None = None


class AnyStep(Value):
    """One action with its parameters filled in, as far as it doesn't matter what the host runs.

    Attributes:
        index: counts from 1.
        timeout: whole seconds.
        become: the user as whom it runs, if not the login's.
        when: test in front of it.
    """

    index: int
    name: str
    kind: str
    timeout: int
    become: str | None = None
    when: str | None = None
    keep_going: bool = False
    idempotent: bool = False
    upload: UploadSource | None = None


def timeout_of(action: Action) -> int:
    """How long a step may take, in whole seconds."""
    seconds = action.timeout
    if action.check is not None:
        seconds = max(seconds, action.check.within + _CHECK_MARGIN)
    return math.ceil(seconds)


def user_of(*, own: Become | bool | None, cluster: Become | None) -> str | None:
    """As whom a step runs, by what the action and its cluster say."""
    if own is False or (own is None and cluster is None):
        return None
    if isinstance(own, Become):
        return own.user
    return (cluster or Become()).user


def upload_of(action: Action, fill: Fill) -> UploadSource | None:
    """What the worker puts on the host for an action, if it does."""
    if action.upload is None:
        return None
    declared = action.upload.sha256
    return UploadSource(
        source=clear_text(fill(action.upload.source), "upload: from"),
        sha256=None if declared is None else clear_text(fill(declared), "upload: sha256").lower(),
    )


def name_of(action: Action, fill: Fill, summary: str) -> str:
    """A step's name: the action's own, or the first line of what it does."""
    if action.name is not None:
        return clear_text(fill(action.name), "name")
    lines = summary.strip().splitlines()
    line = lines[0].strip() if lines else ""
    return line if len(line) <= _NAME_LENGTH else line[: _NAME_LENGTH - 1] + "…"
