"""What one worker process has: its connections, its claims, and how it carries out a host's job."""

import logging
import os
import socket
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import redis
from kombu.exceptions import OperationalError

from config.causes import Cause
from config.settings import Settings, load_settings
from config.winrm_warnings import target_warnings
from tasks.advancing import Gatekeeper, send_waiting
from tasks.dispatch import Dispatcher
from tasks.heartbeat import Beat, Heartbeat
from tasks.holdings import Held, Holdings
from tasks.jobs import HostJob, Jobs, pins_of
from tasks.outcomes import HandedOver, HostResult, Later, Outcome
from tasks.record.answers import Freed, LogPart
from tasks.record.claims import NotClaimed
from tasks.record.connection import connect
from tasks.record.presence import Presence
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter
from tasks.sweeping import Sweeper
from workers.app import app
from workers.queues import BrokerQueues

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

OUTCOME_KEPT_SECONDS = 600.0
"""How long a worker holds an outcome that it can't write, before it leaves the host to the sweeper."""


class Runtime:
    """One worker process; every method is safe under many threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        client = connect(settings.record_url)
        self._writer = RecordWriter(
            client, ttl_seconds=int(settings.record_ttl), release_ttl_seconds=int(settings.release_ttl)
        )
        self._reader = RecordReader(client)
        self._presence = Presence(client)
        self._holdings = Holdings()
        self._queues = BrokerQueues(connect(settings.redis_url))
        self._jobs = Jobs(settings=settings, reader=self._reader, writer=self._writer)
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._heartbeat: Heartbeat | None = None

    def begin(self, *, name: str, pools: tuple[str, ...], slots: int) -> None:
        """Start the heartbeat of this process."""
        self._name = name
        beat = Beat(
            settings=self._settings,
            writer=self._writer,
            presence=self._presence,
            holdings=self._holdings,
            name=name,
            pools=pools,
            slots=slots,
            version=_version(),
            sweep=self._sweeper().sweep,
        )
        self._heartbeat = Heartbeat(beat=beat, seconds=self._settings.heartbeat_seconds)
        self._heartbeat.start()

    def leave(self) -> None:
        """Let go of every host, so that this process can end and others go on with them; returns at once."""
        self._holdings.leave()

    def end(self) -> None:
        """Stop the heartbeat and close every connection."""
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self._jobs.close()

    def gatekeeper(self, *, parent: str | None = None) -> Gatekeeper:
        """The gate, sending its messages as the children of task ``parent``."""
        return Gatekeeper(reader=self._reader, writer=self._writer, outbox=self._outbox(parent))

    def carry_out(self, run_id: str, kind: str, host: str, *, parent: str | None = None) -> HostResult | None:
        """Do one host's job, if it is to be had, and record how it ended.

        Returns:
            How it ended; None when it was not to be had, when it is left to another worker or to a later
            time, or when another worker has it by now.
        """
        if self._holdings.leaving:
            send_waiting(run_id, host, self._reader, self._outbox(parent))
            return None
        claim = self._writer.claim(
            run_id, kind, host, worker=self._name, lease_seconds=self._settings.lease_seconds
        )
        if isinstance(claim, NotClaimed):
            log.info("%s of run %s: nothing to do (%s: %s)", host, run_id, claim.reason, claim.detail)
            return None
        for warning in target_warnings([claim.target]):
            log.warning("run %s: %s", run_id, warning)
        with self._holdings.holding(claim) as held:
            started = time.monotonic()
            job, result = _carried_out(self._jobs, held)
            if not isinstance(result, HostResult):
                self._let_go(held, result, parent)
                return None
            result = result.model_copy(update={"seconds": round(time.monotonic() - started, 3)})
            freed = self._record(held, job, result)
        if freed is None:
            log.warning("%s of run %s: another worker has the host; nothing was written", host, run_id)
            return None
        self._go_on(run_id, freed, self._outbox(parent))
        return result

    def _let_go(self, held: Held, why: Later | HandedOver, parent: str | None) -> None:
        """Give a host back that hasn't ended. Where that can't be written now, its lease runs out."""
        claim = held.claim
        log.info("%s of run %s: let go of it (%r)", claim.host, claim.run_id, why)
        with suppress(redis.ConnectionError, redis.TimeoutError, OperationalError):
            if isinstance(why, Later):
                self._writer.defer(
                    claim,
                    begun=why.begun,
                    seconds=why.seconds,
                    proxy=why.proxy,
                    cause=f"{why.cause} {why.message}",
                )
            elif self._writer.hand_over(claim, worker=self._name):
                send_waiting(claim.run_id, claim.host, self._reader, self._outbox(parent))

    def _go_on(self, run_id: str, freed: Freed, outbox: Dispatcher) -> None:
        """Send what a host's end sets in motion: the gate, and whoever waited for the machine."""
        if freed.left == 0:
            standing = self._writer.standing(run_id)
            if standing is not None:
                outbox.gate(run_id, title=standing.title, pools=standing.pools)
        if freed.waiting_run:
            send_waiting(freed.waiting_run, freed.waiting_host, self._reader, outbox)

    def _record(self, held: Held, job: HostJob | None, result: HostResult) -> Freed | None:
        """Write an outcome; while Redis is away, hold it and try again."""
        printed, pins = job.rest_of_log() if job else LogPart(), pins_of(held.claim, result)

        def write() -> Freed | None:
            if held.lost.is_set():
                return None
            return self._writer.finish(held.claim, result, log=printed, pins=pins)

        return _until_reachable(write)

    def advance(self, run_id: str, *, parent: str | None = None) -> str:
        """Let a run's gate decide; where it has nothing to, see whether the run's hosts move.

        Returns:
            What came of it, for people.
        """
        said = self.gatekeeper(parent=parent).advance(run_id)
        if not said:
            self._sweeper(parent).look_at_hosts(run_id)
        return said or "nothing to decide"

    def _sweeper(self, parent: str | None = None) -> Sweeper:
        return Sweeper(
            reader=self._reader,
            writer=self._writer,
            outbox=self._outbox(parent),
            queues=self._queues,
            route_wait=self._settings.route_wait,
        )

    def _outbox(self, parent: str | None) -> Dispatcher:
        return Dispatcher(app, live_pools=self._live_pools, parent=parent)

    def _live_pools(self) -> set[str]:
        return {worker.pool for worker in self._presence.live()}


def _carried_out(jobs: Jobs, held: Held) -> tuple[HostJob | None, HostResult | Later | HandedOver]:
    """Make a host's job and do it; the job is None where it couldn't even be made."""
    job: HostJob | None = None
    try:
        job = jobs.job(held)
        return job, job.carry_out()
    except (redis.ConnectionError, redis.TimeoutError):
        if job is None:  # what to do stands in the record; once it is back, the sweep sends this host again
            raise
        return job, _failed_itself("the record could not be reached", begun=True)
    except Exception as error:  # a host's job ends in a value, whatever happens: the one boundary
        log.exception("a host's job failed in a way that nobody foresaw")
        return job, _failed_itself(type(error).__name__, begun=job is not None or held.claim.may_have_begun)


def _failed_itself(what: str, *, begun: bool) -> HostResult:
    return HostResult(
        outcome=Outcome.INDETERMINATE if begun else Outcome.FAILED,
        cause=Cause.INTERNAL,
        message=f"Longshore itself failed ({what}); the worker's log has more",
    )


def _until_reachable(write: "Callable[[], Freed | None]") -> Freed | None:
    deadline = time.monotonic() + OUTCOME_KEPT_SECONDS
    while True:
        try:
            return write()
        except (redis.ConnectionError, redis.TimeoutError):
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)


def _version() -> str:
    try:
        return version("longshore")
    except PackageNotFoundError:
        return "source"


@cache
def runtime() -> Runtime:
    """This process's runtime, made at first use."""
    return Runtime(load_settings())
