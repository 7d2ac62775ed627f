"""Deploys to one host: ships the host script, follows it, and finds it again when the link breaks."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

from config.causes import Cause
from config.settings import Settings
from config.targets import HostTarget
from tasks.actions.common import AnyStep
from tasks.conversing import GLANCE_SECONDS, Patience, converse, upload
from tasks.deferring import later
from tasks.holdings import Held
from tasks.hostscript import driver
from tasks.hostscript.control import (
    ControlParser,
    Event,
    Finished,
    Output,
    PutDone,
    Status,
    StepCause,
    Stopped,
)
from tasks.hostscript.dialects import HostScript
from tasks.hostscript.masking import Masker
from tasks.hostscript.results import Progress, silent_driver
from tasks.outcomes import HandedOver, HostResult, Later, Outcome
from tasks.record.answers import LogPart
from tasks.reporting import Reporter
from workers.connections import Connections
from workers.packing import Parcel, SourceError, parcel
from workers.routes import PinnedKeys
from workers.transports.base import Follow, Session, TransportError

PROBE_SECONDS = 60.0
"""After this long without output the host is asked whether the run's processes are still there."""
HANDS_ON_SECONDS = 10.0
"""For this long a lost connection is made again at once; then the host waits, and others have the slot."""
MOST_LOST_BEFORE = 4
"""So many connections may be lost before anything has begun on the host; then it counts as out of reach."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What goes to one host, compiled and resolved.

    Attributes:
        script: the same for every host of the run and operating system.
        masker: masks the secrets among them in whatever the host prints.
        environment: parameters, secrets among them, and where they are; never stored.
    """

    where: driver.HostRun
    steps: tuple[AnyStep, ...]
    script: HostScript
    environment: Mapping[str, str] = field(repr=False)
    masker: Masker


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
        # Another worker may have got far with it before it was lost or left it, or before a person looked.
        self._inherited = self._begun = self.held.claim.may_have_begun
        self._waited = self.held.claim.waited
        self._uploaded = False
        self._lost_before = 0
        self._ending = self._confirmed_gone = False
        self._mode: Callable[[], driver.Invocation] = self._run_or_attach

    def carry_out(self) -> HostResult | Later | HandedOver:
        """Drive the host to its end; a lost connection is made again for a while.

        Returns:
            How it ended, or that it hasn't and why this worker leaves it. When the claim is lost meanwhile it
            is worth nothing, and is not written.
        """
        hands_on = min(HANDS_ON_SECONDS, self.settings.reconnect_seconds)
        patience = Patience(hands_on if self._waited is None else 0.0)
        while not self.held.leaving.is_set():
            heard = self._offset
            try:
                with self.connections.session(self.target, self.pins) as session:
                    self._waited = None
                    self.reporter.arrived()
                    self._drive(session)
            except _Over as over:
                return over.result
            except TransportError as error:
                if self._offset > heard:
                    patience = Patience(hands_on)
                end = self._given_up(error, patience)
                if end is not None:
                    return end
        return HandedOver()

    def rest_of_log(self) -> LogPart:
        """What the host printed and no report has carried yet."""
        return self.reporter.rest()

    def _given_up(self, error: TransportError, patience: Patience) -> HostResult | Later | None:
        """How it ends, for this worker, with an error of a connection; None when another is to be made."""
        if not self._begun:
            again = self._may_stand_again(error) and Patience(HANDS_ON_SECONDS).wait(self.held)
            return None if again else self._not_begun(error)
        if error.cause is Cause.COMMAND and self._progress.status is None and not self._inherited:
            # The host would not take the command, or not all of its input: nothing of it runs.
            return _failed(error.cause, error.detail)
        if patience.wait(self.held):
            return None
        return self._later(error, self.settings.reconnect_seconds) or self._unanswered(error)

    def _may_stand_again(self, error: TransportError) -> bool:
        """Whether a new connection is worth a try, where nothing has begun that would be asked about."""
        self._lost_before += error.lost
        return error.lost and self._lost_before <= MOST_LOST_BEFORE and not self.held.cancelled.is_set()

    def _not_begun(self, error: TransportError) -> HostResult | Later:
        if self.held.cancelled.is_set():
            return HostResult(
                outcome=Outcome.CANCELLED, cause=Cause.CANCELLED, message="cancelled before it began"
            )
        return self._later(error, self.settings.route_wait) or HostResult(
            outcome=Outcome.UNREACHABLE, cause=error.cause, message=error.detail
        )

    def _later(self, error: TransportError, limit: float) -> Later | None:
        return later(
            error.cause, error.detail, proxy=error.proxy, begun=self._begun, waited=self._waited, limit=limit
        )

    def _unanswered(self, error: TransportError) -> HostResult:
        if self._confirmed_gone:
            return self._as_confirmed()
        if self.held.cancelled.is_set():
            return self._unconfirmed(error.detail)
        message = f"{error.detail}; the work on the host may have gone on"
        return self._progress.result().model_copy(update={"cause": error.cause, "message": message})

    def _run_or_attach(self) -> driver.Invocation:
        delivery = self.delivery
        return delivery.script.run(delivery.where, delivery.environment, offset=self._offset)

    def _drive(self, session: Session) -> None:
        """Start or find the run on the host, and follow it as long as the session lasts."""
        self._mind(session)
        self._upload(session)
        if self.held.leaving.is_set():
            return
        invocation = self._mode()
        # From here on the host may have begun, whatever is heard of it.
        self._begun = True
        follow = session.start(
            invocation.command, stdin=invocation.stdin, timeout=self.settings.command_timeout
        )
        with closing(follow):
            self._follow(session, follow)

    def _follow(self, session: Session, follow: Follow) -> None:
        """Take what the host says until its end, or until this worker is to leave it."""
        parser = ControlParser(self.delivery.where.marker, offset=self._offset)
        heard = time.monotonic()
        while (data := follow.read(GLANCE_SECONDS)) != b"":
            for event in parser.feed(data or b""):
                self._take(event)
            self._offset = parser.offset
            if self._progress.ended:
                break
            if self.held.leaving.is_set():
                return
            self.reporter.flush_if_due(self._progress.steps)
            self._mind(session)
            if data is not None:
                heard = time.monotonic()
            elif time.monotonic() - heard > PROBE_SECONDS:
                self._ask(session)
                heard = time.monotonic()
        follow.end_input()
        self._conclude(parser, follow)

    def _mind(self, session: Session) -> None:
        """Look whether the host is still this worker's, and whether its work is still wanted."""
        if self.held.lost.is_set():
            raise _Over(_not_ours())
        if self.held.cancelled.is_set() and not self._ending:
            self._stop(session)
            # Not before: a connection lost in the middle of it leaves it to be done again.
            self._ending = True

    def _take(self, event: Event) -> None:
        masker = self.delivery.masker
        match event:
            case Output(data=data):
                self._print(masker.feed(data))
            case StepCause(detail=detail):
                self._progress.apply(replace(event, detail=masker.text(detail)))
            case _:
                self._print(masker.end())
                self._progress.apply(event)

    def _print(self, data: bytes) -> None:
        if data:
            self.reporter.output(data)
            self._progress.apply(Output(data=data))

    def _conclude(self, parser: ControlParser, follow: Follow) -> None:
        """The driver has said all it has: the host's end, or what to do next to learn of it."""
        progress = self._progress
        if progress.stale:
            self.held.lost.set()
            raise _Over(_not_ours())
        if self._confirmed_gone:
            raise _Over(self._as_confirmed())
        first = progress.resume_from(rerun=self.held.claim.rerun)
        if first is not None:
            self._mode = lambda: self._resume(first)
            return
        status = progress.status
        if progress.ended or (status is not None and status.state in ("gone", "cancelled")):
            raise _Over(progress.result())
        if status is None:
            code = follow.exit_status(self.settings.command_timeout)
            progress.apply(silent_driver(code, follow.errors() or parser.preface))
            raise _Over(progress.result())
        # The tail ended while the runner goes on: someone ended it, or the host is short of something.
        raise TransportError(Cause.CONNECTION_LOST, "the host stopped sending the run's output")

    def _attach(self) -> driver.Invocation:
        return self.delivery.script.attach(self.delivery.where, offset=self._offset)

    def _as_confirmed(self) -> HostResult:
        """How it ended, where its processes are confirmed gone and its log may lack its last line."""
        if not self._progress.ended:
            self._progress.apply(Finished(uptime=0.0, exit_code=130, cancelled=True))
        return self._progress.result()

    def _resume(self, first_step: int) -> driver.Invocation:
        self._mode = self._run_or_attach
        delivery = self.delivery
        return delivery.script.resume(
            delivery.where, delivery.environment, first_step=first_step, offset=self._offset
        )

    def _ask(self, session: Session) -> None:
        """After a long silence: end the follow when the runner is gone, so that its end is looked into."""
        for event in self._converse(session, self.delivery.script.probe(self.delivery.where)):
            if isinstance(event, Status) and event.state == "gone":
                raise TransportError(Cause.SCRIPT_KILLED, "the run's processes are gone from the host")

    def _stop(self, session: Session) -> None:
        """End the run's processes on the host, and have it confirmed."""
        grace = 0 if self.held.hurry.is_set() else self.settings.cancel_grace
        invocation = self.delivery.script.stop(self.delivery.where, grace=grace)
        for event in self._converse(session, invocation, timeout=grace + 60):
            match event:
                case Stopped(result="gone"):
                    # What it did until then, and that it was cancelled, stands in its log.
                    self._confirmed_gone = self._uploaded = True
                    self._mode = self._attach
                    return
                case Stopped(result="never"):
                    self._progress.apply(Status(state="cancelled", size=0))
                    raise _Over(self._progress.result())
                case Stopped(result="alive", pids=pids):
                    raise _Over(self._unconfirmed(" ".join(str(pid) for pid in pids)))
                case Stopped():
                    # It has finished already: its own end is on the way.
                    return
                case _:
                    self._take(event)
        raise _Over(self._unconfirmed("the host gave no answer"))

    def _unconfirmed(self, left: str) -> HostResult:
        message = f"asked to end, but not confirmed gone: {left}"
        result = self._progress.result()
        return result.model_copy(
            update={
                "outcome": Outcome.INDETERMINATE,
                "cause": Cause.CANCEL_UNCONFIRMED,
                "message": message,
            }
        )

    def _upload(self, session: Session) -> None:
        uploads = [
            (step.index, step.upload.source) for step in self.delivery.steps if step.upload is not None
        ]
        if self._uploaded or not uploads:
            return
        status = next(iter(self._converse(session, self.delivery.script.probe(self.delivery.where))), None)
        if isinstance(status, Status) and status.state == "new":
            for index, source in uploads:
                self._put(session, index, source)
        self._uploaded = True

    def _put(self, session: Session, index: int, source: str) -> None:
        try:
            script = self.delivery.script
            with parcel(source, folder_format=script.folder_format) as packed:
                name = f"{index}.{script.folder_format if packed.folder else 'file'}"
                invocation = script.put(self.delivery.where, name, size=packed.size, sha256=packed.sha256)
                for event in self._sent(session, invocation, packed):
                    if isinstance(event, PutDone):
                        return
                    self._take(event)
        except SourceError as error:
            raise _Over(_failed(Cause.UPLOAD_SOURCE, str(error))) from None
        if self._progress.ended:
            raise _Over(self._progress.result())
        raise _Over(_failed(Cause.COMMAND, f"the host didn't take the upload of {source}"))

    def _sent(self, session: Session, invocation: driver.Invocation, packed: Parcel) -> Iterator[Event]:
        """The events of an upload, which goes on where an earlier try was cut if the host can tell."""
        if not self.delivery.script.resumable_uploads:
            return self._converse(session, invocation, content=packed.chunks())
        return upload(
            session,
            invocation,
            packed,
            marker=self.delivery.where.marker,
            wait=self.settings.command_timeout,
        )

    def _converse(
        self,
        session: Session,
        invocation: driver.Invocation,
        *,
        content: Iterable[bytes] = (),
        timeout: float | None = None,
    ) -> Iterator[Event]:
        wait = timeout or self.settings.command_timeout
        return converse(session, invocation, marker=self.delivery.where.marker, wait=wait, content=content)


def _failed(cause: Cause, detail: str) -> HostResult:
    return HostResult(outcome=Outcome.FAILED, cause=cause, message=detail)


def _not_ours() -> HostResult:
    return HostResult(
        outcome=Outcome.INDETERMINATE, cause=Cause.WORKER_LOST, message="another worker has the host"
    )
