"""Steps: the actions of an application with its parameters filled in, ready to be compiled."""

import math
from collections.abc import Callable, Collection, Mapping

from config.application import Action, Application
from config.errors import BadInputError
from config.fleet import Become
from config.problems import Finding, UnplacedError
from config.values import Value
from tasks.actions import commands
from tasks.actions.words import clear_text, known_references, secret_references, shell_word
from tasks.hostscript.driver import check_environment

Render = Callable[[str, Mapping[str, str]], str]
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


class Step(Value):
    """One action with its parameters filled in.

    Attributes:
        index: counts from 1.
        command: shell text.
        needs_helpers: whether ``command`` calls this kind's helper functions.
        directory: where it runs, as a shell word; relative to the login's home.
        environment: variables of its own, as shell words.
        timeout: whole seconds.
        become: the user as whom it runs, if not the login's.
        when: shell test in front of it.
    """

    index: int
    name: str
    kind: str
    command: str
    needs_helpers: bool
    directory: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    timeout: int
    become: str | None = None
    when: str | None = None
    keep_going: bool = False
    idempotent: bool = False
    upload: UploadSource | None = None


def steps_of(
    application: Application,
    parameters: Mapping[str, str],
    *,
    render: Render,
    secrets: Collection[str] = (),
    become: Become | None = None,
) -> tuple[Step, ...]:
    """The steps of ``application``.

    Args:
        application: as declared.
        parameters: values in clear, every one that isn't secret.
        render: fills parameters into a field's template.
        secrets: names of the secret parameters; a field that names one refers to the variable on the host.
        become: what the cluster says, for actions that say nothing themselves.

    Raises:
        UnplacedError: actions can't be made into steps; says which and why.
    """
    check_environment({**dict.fromkeys(secrets, ""), **parameters})
    values = {**parameters, **secret_references(secrets)}

    def fill(text: str) -> str:
        return known_references(render(text, values), secrets)

    steps, findings = [], []
    for index, action in enumerate(application.actions):
        try:
            steps.append(_step(index + 1, action, fill, become))
        except BadInputError as error:
            findings.append(Finding(path=("actions", index), message=str(error)))
    if findings:
        raise UnplacedError(findings=findings)
    return tuple(steps)


def _step(index: int, action: Action, fill: Callable[[str], str], become: Become | None) -> Step:
    return Step(
        index=index,
        name=_name(action, fill),
        kind=action.kind,
        command=commands.command_of(action, fill),
        needs_helpers=commands.needs_helpers(action),
        directory=None if action.directory is None else shell_word(fill(action.directory)),
        environment=tuple((name, shell_word(fill(value))) for name, value in action.env.items()),
        timeout=_timeout(action),
        become=_user(own=action.become, cluster=become),
        when=action.when,
        keep_going=action.keep_going,
        idempotent=action.idempotent or action.fetch is not None,
        upload=_upload(action, fill),
    )


def _timeout(action: Action) -> int:
    seconds = action.timeout
    if action.check is not None:
        seconds = max(seconds, action.check.within + _CHECK_MARGIN)
    return math.ceil(seconds)


def _user(*, own: Become | bool | None, cluster: Become | None) -> str | None:
    if own is False or (own is None and cluster is None):
        return None
    if isinstance(own, Become):
        return own.user
    return (cluster or Become()).user


def _upload(action: Action, fill: Callable[[str], str]) -> UploadSource | None:
    if action.upload is None:
        return None
    declared = action.upload.sha256
    return UploadSource(
        source=clear_text(fill(action.upload.source), "upload: from"),
        sha256=None if declared is None else clear_text(fill(declared), "upload: sha256").lower(),
    )


def _name(action: Action, fill: Callable[[str], str]) -> str:
    if action.name is not None:
        return clear_text(fill(action.name), "name")
    lines = commands.summary_of(action, fill).strip().splitlines()
    line = lines[0].strip() if lines else ""
    return line if len(line) <= _NAME_LENGTH else line[: _NAME_LENGTH - 1] + "…"
