"""Steps compiled to the one host script that carries them out."""

from collections.abc import Iterable, Sequence

from tasks.actions.steps import Step
from tasks.hostscript.shell import quote, shell_text

_GRACE = 5
_HELPERS = {
    "run": (),
    "fetch": ("cause", "checksum", "fetch"),
    "upload": ("cause", "checksum", "swap", "upload"),
    "unpack": ("cause", "swap", "unpack"),
    "link": ("link",),
    "service": ("cause", "service"),
    "check": ("cause", "check"),
}
_SAY = '__say() { printf \'\\n%s %s\\n\' "$__m" "$*"; }\n'
_VARIABLES = ("LONGSHORE_RUN", "LONGSHORE_APPLICATION", "LONGSHORE_HOST", "LONGSHORE_BATCH")


def compile_script(steps: Sequence[Step], *, parameters: Iterable[str] = (), grace: int = _GRACE) -> bytes:
    """The host script of ``steps``: the same for every host of the run, and free of secrets.

    It is functions and assignments only; what runs it comes after it. So a truncated upload runs nothing.

    Args:
        steps: in order, their indices counting from 1.
        parameters: names of the variables that a step gets when it runs as another user.
        grace: seconds between TERM and KILL for a step that has had its time.
    """
    own = [step for step in steps if step.become is None]
    parts = [
        _header(steps, grace),
        _become_header(steps, (*parameters, *_VARIABLES)),
        shell_text("runner"),
        *(shell_text(f"actions/{name}") for name in _helpers(own) | _upload_helpers(steps)),
        *(_step_function(step) for step in steps),
    ]
    return "".join(parts).encode("utf-8", "surrogateescape")


def _header(steps: Sequence[Step], grace: int) -> str:
    limits = " ".join(str(step.timeout) for step in steps)
    shortest = min(step.timeout for step in steps)
    keep = "".join(f" {step.index}" for step in steps if step.keep_going)
    return (
        "# Longshore host script: docs/reference/host-script.md\n"
        f"__count={len(steps)} __shortest={shortest} __grace={grace}\n"
        f"__limits='{limits}'\n"
        f"__keep='{keep} '\n"
    )


def _become_header(steps: Sequence[Step], names: Sequence[str]) -> str:
    becoming = [step for step in steps if step.become is not None]
    if not becoming:
        return "__users=\n"
    users = " ".join(dict.fromkeys(step.become for step in becoming if step.become is not None))
    helpers = "".join(shell_text(f"actions/{name}") for name in _helpers(becoming))
    # Saying so is its first act: a step that failed without it failed to become the user.
    prelude = f'{_SAY}__say become "$__i"\n{helpers}'
    return (
        f"__users={quote(users)}\n__names={quote(' '.join(names))}\n__prelude={quote(prelude)}\n"
        f"{shell_text('actions/become')}"
    )


def _helpers(steps: Iterable[Step]) -> dict[str, None]:
    names: dict[str, None] = {}
    for step in steps:
        names |= dict.fromkeys(("when",) if step.when is not None else ())
        names |= dict.fromkeys(_HELPERS[step.kind] if step.needs_helpers else ())
    return names


def _upload_helpers(steps: Iterable[Step]) -> dict[str, None]:
    # Finding what was uploaded takes the login's rights, whoever puts it in place.
    return dict.fromkeys(("cause", "uploaded") if any(step.upload is not None for step in steps) else ())


def _step_function(step: Step) -> str:
    body = _body(step)
    name = f"__s{step.index}"
    if step.become is None:
        return f"{name}() {{\n{_uploaded(step)}{body}}}\n"
    if step.upload is None:
        return f"{name}() {{ __as {quote(step.become)} {quote('exec </dev/null' + chr(10) + body)}; }}\n"
    hand_over = f'"__k=$__k __x=$__x\n"{quote(body)} "$__s"'
    return f"{name}() {{\n{_uploaded(step)}__as {quote(step.become)} {hand_over}\n}}\n"


def _uploaded(step: Step) -> str:
    return "" if step.upload is None else "__uploaded || return\n"


def _body(step: Step) -> str:
    lines = []
    if step.directory is not None:
        lines.append(f"cd -- {step.directory} || exit 1")
    lines.extend(f"export {name}={word}" for name, word in step.environment)
    if step.when is not None:
        lines.append(f"__when {quote(step.when)}")
    source = ' <"$__s"' if step.upload is not None and step.become is None else ""
    lines.append(step.command + source)
    return "".join(f"{line}\n" for line in lines)
