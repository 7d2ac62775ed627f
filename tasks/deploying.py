"""Deploys to one host: ships the host script, follows it to its end, and finds it again when the link breaks."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from config.causes import Cause
from config.settings import Settings
from config.targets import HostTarget
from tasks.actions.steps import Step
from tasks.holdings import Held
from tasks.hostscript import driver
from tasks.hostscript.control import (
    Busy,
    ControlParser,
    DriverFailed,
    Event,
    Finished,
    Output,
    PutDone,
    Refused,
    Status,
    Stopped,
)
from tasks.hostscript.results import Progress
from tasks.outcomes import HostResult, Outcome
from tasks.record.store import LogPart
from tasks.reporting import Reporter
from workers.connections import Connections
from workers.packing import SourceError, parcel
from workers.routes import PinnedKeys
from workers.transports.base import Follow, Session, TransportError

GLANCE_SECONDS = 1.0
"""How long a read waits before the job looks at its lease, at a cancel, and at its reporter."""
PROBE_SECONDS = 60.0
"""After this long without output the host is asked whether the run's processes are still there."""
LONGEST_PAUSE = 15.0


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What goes to one host, compiled and resolved.

    Attributes:
        script: the same for every host of the run.
        environment: parameters, secrets among them, and where they are; never stored.
    """

    where: driver.HostRun
    steps: tuple[Step, ...]
    script: bytes
    environment: Mapping[str, str] = field(repr=False)


class _Over(Exception):  # noqa: N818 - it carries an end, not an error
    """The job is over with this result."""

    def __init__(self, result: HostResult) -> None:
        super().__init__(result.outcome)
        self.result = result


@dataclass(kw_only=True)
class Deployment:
    """One host's deployment, from the first connection to its outcome."""

    held: Held
    target: HostTarget
    pins: PinnedKeys
    delivery: Delivery
    connections: Connections
    reporter: Reporter
    settings: Settings

    def __post_init__(self) -> None:
        self._progress = Progress(self.delivery.steps)
        self._offset = 0
        self._begun = False
        self._uploaded = False
        self._mode: Callable[[], driver.Invocation] = self._run_or_attach

    def carry_out(self) -> HostResult:
        """Drive the host to its end; a lost connection is made again for a while.

        Returns:
            How it ended. When the claim is lost meanwhile the result is worth nothing, and is not written.
        """
        patience = _Patience(self.settings.reconnect_seconds)
        while True:
            heard = self._offset
            try:
                with self.connections.session(self.target, self.pins) as session:
                    self._drive(session)
            except _Over as over:
                return over.result
            except TransportError as error:
                if not self._begun:
                    return HostResult(outcome=Outcome.UNREACHABLE, cause=error.cause, message=error.detail)
                if self._offset > heard:
                    patience.renew()
                if self.held.lost.is_set() or not patience.wait(self.held):
                    return self._unanswered(error)

    def rest_of_log(self) -> LogPart:
        """What the host printed and no report has carried yet."""
        return self.reporter.rest()

    def _unanswered(self, error: TransportError) -> HostResult:
        return HostResult(
            outcome=Outcome.INDETERMINATE,
            cause=error.cause,
            message=f"{error.detail}; the work on the host may have gone on",
            steps=self._progress.steps,
        )

    def _run_or_attach(self) -> driver.Invocation:
        delivery = self.delivery
        return driver.run(delivery.where, delivery.script, delivery.environment, offset=self._offset)

    def _drive(self, session: Session) -> None:
        """Start or find the run on the host, and follow it as long as the session lasts."""
        if self.held.claim.cancelled_by:
            self._stop(session)
        self._upload(session)
        invocation = self._mode()
        # From here on the host may have begun, whatever is heard of it.
        self._begun = True
        follow = session.start(
            invocation.command, stdin=invocation.stdin, timeout=self.settings.command_timeout
        )
        with closing(follow):
            self._follow(session, follow)

    def _follow(self, session: Session, follow: Follow) -> None:
        parser = ControlParser(self.delivery.where.marker, offset=self._offset)
        stopped = False
        heard = time.monotonic()
        while (data := follow.read(GLANCE_SECONDS)) != b"":
            for event in parser.feed(data or b""):
                self._take(event)
                if isinstance(event, Finished):
                    follow.end_input()
                    raise _Over(self._progress.result())
            self._offset = parser.offset
            self.reporter.flush_if_due(self._progress.steps)
            if data is not None:
                heard = time.monotonic()
            if self.held.lost.is_set():
                raise _Over(_not_ours())
            if self.held.cancelled.is_set() and not stopped:
                self._stop(session)
                stopped = True
            if time.monotonic() - heard > PROBE_SECONDS:
                self._ask(session)
                heard = time.monotonic()
        self._ended_without_finish(parser, follow)

    def _take(self, event: Event) -> None:
        match event:
            case Output():
                self.reporter.output(event.data)
            case Refused():
                self.held.lost.set()
                raise _Over(_not_ours())
            case Busy():
                raise _Over(_failed(Cause.BUSY, f"run {event.run_id} is under way on this host"))
            case DriverFailed():
                raise _Over(_failed(event.cause, event.detail))
            case _:
                self._progress.take(event)

    def _ended_without_finish(self, parser: ControlParser, follow: Follow) -> None:
        """The driver has said all it has, and the run has no end: find out what that means."""
        status = self._progress.status
        if status is None:
            said = parser.preface or follow.errors()
            text = said.decode("utf-8", "replace").strip() or "nothing"
            code = follow.exit_status(self.settings.command_timeout)
            raise _Over(
                _failed(Cause.COMMAND, f"the host's shell ended with exit code {code} and said: {text}")
            )
        if status.state == "cancelled":
            raise _Over(self._progress.cancelled())
        if status.state == "gone":
            step = self._progress.under_way
            if status.detail.startswith("orphans") or (step is not None and not step.idempotent):
                raise _Over(self._progress.lost())
            first = step.index if step is not None else self._progress.next_index
            self._mode = lambda: driver.resume(
                self.delivery.where,
                self.delivery.script,
                self.delivery.environment,
                first_step=first,
                offset=self._offset,
            )
            return
        # The tail ended while the runner goes on: someone ended it, or the host is short of something.
        raise TransportError(Cause.CONNECTION_LOST, "the host stopped sending the run's output")

    def _ask(self, session: Session) -> None:
        """After a long silence: end the follow when the runner is gone, so that its end is looked into."""
        for event in self._converse(session, driver.probe(self.delivery.where)):
            if isinstance(event, Status) and event.state == "gone":
                raise TransportError(Cause.HOST_RESTARTED, "the run's processes are gone from the host")

    def _stop(self, session: Session) -> None:
        """End the run's processes on the host, and have it confirmed."""
        invocation = driver.stop(self.delivery.where, grace=self.settings.cancel_grace)
        result: Stopped | None = None
        for event in self._converse(session, invocation, timeout=self.settings.cancel_grace + 60):
            if isinstance(event, Stopped):
                result = event
            elif isinstance(event, Refused | DriverFailed):
                self._take(event)
        if result is None or result.result == "alive":
            pids = " ".join(str(pid) for pid in result.pids) if result else "unknown"
            raise _Over(self._progress.cancelled(unconfirmed=f"still running on the host: {pids}"))
        if result.result != "finished":
            raise _Over(self._progress.cancelled())

    def _upload(self, session: Session) -> None:
        uploads = [
            (step.index, step.upload.source) for step in self.delivery.steps if step.upload is not None
        ]
        if self._uploaded or not uploads:
            return
        status = next(iter(self._converse(session, driver.probe(self.delivery.where))), None)
        if isinstance(status, Status) and status.state == "new":
            for index, source in uploads:
                self._put(session, index, source)
        self._uploaded = True

    def _put(self, session: Session, index: int, source: str) -> None:
        try:
            with parcel(source) as packed:
                name = f"{index}.{'tar' if packed.folder else 'file'}"
                invocation = driver.put(self.delivery.where, name, size=packed.size, sha256=packed.sha256)
                events = self._converse(session, invocation, content=packed.chunks())
                if not any(isinstance(event, PutDone) for event in map(self._taken, events)):
                    raise _Over(_failed(Cause.COMMAND, f"the host didn't take the upload of {source}"))
        except SourceError as error:
            raise _Over(_failed(Cause.UPLOAD_SOURCE, str(error))) from None

    def _taken(self, event: Event) -> Event:
        if not isinstance(event, PutDone):
            self._take(event)
        return event

    def _converse(
        self,
        session: Session,
        invocation: driver.Invocation,
        *,
        content: Iterator[bytes] = iter(()),
        timeout: float | None = None,
    ) -> Iterator[Event]:
        """Run a short mode of the driver to its end, and give what it says."""
        wait = timeout or self.settings.command_timeout
        deadline = time.monotonic() + wait
        parser = ControlParser(self.delivery.where.marker)
        follow = session.start(
            invocation.command, stdin=invocation.stdin, timeout=self.settings.command_timeout
        )
        with closing(follow):
            for chunk in content:
                follow.write(chunk, wait)
                deadline = time.monotonic() + wait
            follow.end_input()
            while (data := follow.read(GLANCE_SECONDS)) != b"":
                yield from parser.feed(data or b"")
                if time.monotonic() > deadline:
                    raise TransportError(Cause.COMMAND, f"no answer from the host within {wait:g} s")


@dataclass
class _Patience:
    """For how long, and how often, a lost connection is made again."""

    seconds: float

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Something was heard from the host: begin anew."""
        self._deadline = time.monotonic() + self.seconds
        self._pause = 0.5

    def wait(self, held: Held) -> bool:
        """Wait for the next try; False when patience is at its end, or the claim is lost."""
        left = self._deadline - time.monotonic()
        pause, self._pause = min(self._pause, left), min(self._pause * 2, LONGEST_PAUSE)
        return left > 0 and not held.lost.wait(pause)


def _failed(cause: Cause, detail: str) -> HostResult:
    return HostResult(outcome=Outcome.FAILED, cause=cause, message=detail)


def _not_ours() -> HostResult:
    return HostResult(
        outcome=Outcome.INDETERMINATE, cause=Cause.WORKER_LOST, message="another worker has the host"
    )
