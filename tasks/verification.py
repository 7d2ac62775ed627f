"""Verification of one host: every stage from its name to a writable directory, timed."""

import shlex
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from functools import cache
from importlib.resources import files
from typing import Protocol

from config.causes import Cause
from config.targets import HostTarget
from tasks.hostscript import windows
from tasks.hostscript.driver import Invocation
from tasks.outcomes import HostResult, Outcome, StepResult, StepState
from workers.transports.base import Follow, Session, StageClock, TransportError
from workers.transports.endpoints import cleaned
from workers.transports.stages import Stage, StageTimer

_MARK = b"longshore-verify "
_MOST_LINE = 4096
_MOST_NOISE = 1024
_LOST = {Cause.CONNECTION_LOST, Cause.PROXY_LOST}


class VerifiedSession(Session, Protocol):
    """A session that remembers which host keys it saw."""

    observed_keys: dict[str, str]


class Connect(Protocol):
    """Gives sessions; ``workers.connections.Connections.session`` does."""

    def __call__(
        self,
        target: HostTarget,
        pins: Mapping[str, str],
        *,
        accept_unknown: bool = ...,
        fresh: bool = ...,
        stages: StageClock = ...,
    ) -> AbstractContextManager[VerifiedSession]:
        """A session for the time of the block."""


def verify(
    target: HostTarget,
    pins: Mapping[str, str],
    *,
    connect: Connect,
    clock: Callable[[], float],
    timeout: float = 30.0,
) -> HostResult:
    """Verify one host.

    Args:
        target: the host.
        pins: keys that earlier verifications have pinned, by name of host or proxy.
        connect: gives a session on the host.
        clock: seconds that only go forward.
        timeout: seconds for everything that is done on the host once it is logged in.

    Returns:
        The stages that were reached, as steps; the first that failed gives cause and message. When all went
        well, the host keys that were seen.
    """
    timer = StageTimer(clock)
    start = clock()
    keys: dict[str, str] = {}
    outcome, cause, message = Outcome.OK, None, ""
    try:
        with connect(target, pins, accept_unknown=True, fresh=True, stages=timer) as session:
            keys = dict(session.observed_keys)
            outcome = Outcome.FAILED
            _look_around(session, target, timer, timeout)
            outcome = Outcome.OK
    except TransportError as error:
        reached = outcome is Outcome.FAILED and error.cause not in _LOST
        outcome = Outcome.FAILED if reached else Outcome.UNREACHABLE
        cause, message = error.cause, error.detail
        if all(stage.ok for stage in timer.stages):
            timer.stages.append(Stage(name=error.stage or "login", ok=False, seconds=0.0))
    return HostResult(
        outcome=outcome,
        cause=cause,
        message=message,
        seconds=clock() - start,
        steps=tuple(_step(stage) for stage in timer.stages),
        observed_keys=keys,
    )


def _step(stage: Stage) -> StepResult:
    state = StepState.OK if stage.ok else StepState.FAILED
    return StepResult(name=stage.name, state=state, seconds=round(stage.seconds, 3), note=stage.note)


@cache
def _script() -> str:
    return files("tasks").joinpath("verify.sh").read_text(encoding="utf-8")


def _look_around(session: Session, target: HostTarget, timer: StageTimer, timeout: float) -> None:
    """Run the script, and take one line per stage."""
    invocation, stages = _looking(target)
    with timer("command"):
        follow = session.start(invocation.command, timeout=timeout)
        report = _Report(follow, end=timer.now() + timeout, timer=timer)
        try:
            _feed(follow, invocation.stdin, timeout)
            report.stage("command")
        except BaseException:
            follow.close()
            raise
    with closing(follow):
        for name in stages:
            with timer(name):
                report.stage(name)


def _looking(target: HostTarget) -> tuple[Invocation, tuple[str, ...]]:
    """What is run on the host, and the stages that it reports besides ``command``."""
    if target.winrm is not None:
        looking = windows.verification(target.work_directory, detached=target.winrm.detached)
        return looking, ("workdir", "privilege") if target.winrm.detached else ("workdir",)
    user = target.become.user if target.become else ""
    settings = f"directory={shlex.quote(target.work_directory)}\nuser={shlex.quote(user)}\n"
    # By /bin/sh, whatever the account's own shell is.
    looking = Invocation(command="exec /bin/sh -s", stdin=(settings + _script()).encode())
    return looking, ("workdir", "privilege") if user else ("workdir",)


def _feed(follow: Follow, program: bytes, timeout: float) -> None:
    try:
        follow.write(program, timeout)
    except TransportError as error:
        # A shell that ended at once says why on its output, which is read next.
        if error.cause is not Cause.COMMAND:
            raise
    follow.end_input()


class _Report:
    """The script's output, taken stage by stage; a login's own noise around it is passed over."""

    def __init__(self, follow: Follow, *, end: float, timer: StageTimer) -> None:
        self._follow = follow
        self._end = end
        self._timer = timer
        self._rest = b""
        self._noise = b""

    def stage(self, name: str) -> None:
        """Wait for the line of one stage.

        Raises:
            TransportError: the stage failed, or its line never came.
        """
        while True:
            line = self._line()
            if not line.startswith(_MARK):
                self._noise = (self._noise + line + b"\n")[-_MOST_NOISE:]
                continue
            found, verdict, cause, detail = (cleaned(part) for part in line[len(_MARK) :].split(b" ", 3))
            if found != name:
                continue
            if verdict != "ok":
                raise TransportError(Cause(cause), detail)
            self._timer.remark(detail)
            return

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            data = self._follow.read(max(0.0, self._end - self._timer.now()))
            if data is None:
                raise TransportError(Cause.COMMAND, f"the host's shell gave no answer in time{self._said()}")
            if not data:
                raise self._ended()
            self._rest = (self._rest + data)[-_MOST_LINE:]
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _ended(self) -> TransportError:
        self._noise += self._rest
        status = self._follow.exit_status(1.0)
        code = "" if status is None else f" with exit code {status}"
        return TransportError(Cause.COMMAND, f"the host's shell ended{code}{self._said()}")

    def _said(self) -> str:
        said = cleaned(self._follow.errors() or self._noise)
        return f": it said {said!r}" if said else ""
