"""Steps: the actions of an application with its parameters filled in, ready to be compiled."""

from collections.abc import Collection, Mapping

from config.application import Action, Application
from config.errors import BadInputError
from config.fleet import Become, OperatingSystem
from config.problems import Finding, UnplacedError
from tasks.actions import commands
from tasks.actions.common import AnyStep, Fill, Render, name_of, timeout_of, upload_of, user_of
from tasks.actions.windows import windows_step
from tasks.actions.words import known_references, secret_references, shell_word
from tasks.hostscript.driver import check_environment


class Step(AnyStep):
    """One step on a Linux host.

    Attributes:
        command: shell text.
        needs_helpers: whether ``command`` calls this kind's helper functions.
        directory: where it runs, as a shell word; relative to the login's home.
        environment: variables of its own, as shell words.
    """

    command: str
    needs_helpers: bool
    directory: str | None = None
    environment: tuple[tuple[str, str], ...] = ()


def steps_of(
    application: Application,
    parameters: Mapping[str, str],
    *,
    render: Render,
    secrets: Collection[str] = (),
    become: Become | None = None,
) -> tuple[Step, ...]:
    """The steps of ``application`` on Linux hosts; see ``steps_for``."""
    steps = steps_for("linux", application, parameters, render=render, secrets=secrets, become=become)
    return tuple(step for step in steps if isinstance(step, Step))


def steps_for(
    os: OperatingSystem,
    application: Application,
    parameters: Mapping[str, str],
    *,
    render: Render,
    secrets: Collection[str] = (),
    become: Become | None = None,
) -> tuple[AnyStep, ...]:
    """The steps of ``application``.

    Args:
        os: what the hosts run.
        application: as declared.
        parameters: values in clear, every one that isn't secret.
        render: fills parameters into a field's template.
        secrets: names of the secret parameters; a field that names one refers to the variable on the host.
        become: what the cluster says, for actions that say nothing themselves.

    Raises:
        UnplacedError: actions can't be made into steps; says which and why.
    """
    check_environment({**dict.fromkeys(secrets, ""), **parameters}, os=os)
    values = {**parameters, **secret_references(secrets)}

    def fill(text: str) -> str:
        return known_references(render(text, values), secrets)

    steps: list[AnyStep] = []
    findings = []
    for index, action in enumerate(application.actions):
        try:
            if os == "windows":
                steps.append(windows_step(index + 1, action, fill))
            else:
                steps.append(_step(index + 1, action, fill, become))
        except BadInputError as error:
            findings.append(Finding(path=("actions", index), message=str(error)))
    if findings:
        raise UnplacedError(findings=findings)
    return tuple(steps)


def _step(index: int, action: Action, fill: Fill, become: Become | None) -> Step:
    if action.iis is not None or action.shell is not None:
        what = "iis" if action.iis is not None else "shell"
        raise BadInputError(f"{what} is for Windows hosts; these run Linux")
    return Step(
        index=index,
        name=name_of(action, fill, commands.summary_of(action, fill)),
        kind=action.kind,
        command=commands.command_of(action, fill),
        needs_helpers=commands.needs_helpers(action),
        directory=None if action.directory is None else shell_word(fill(action.directory)),
        environment=tuple((name, shell_word(fill(value))) for name, value in action.env.items()),
        timeout=timeout_of(action),
        become=user_of(own=action.become, cluster=become),
        when=action.when,
        keep_going=action.keep_going,
        idempotent=action.idempotent or action.fetch is not None,
        upload=upload_of(action, fill),
    )
