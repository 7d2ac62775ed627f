"""Submits plans: a record first, then the one message that sets it in motion."""

import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from config.errors import LongshoreError, RedisUnreachableError
from config.settings import Settings
from producer.run import Run
from producer.servers import Servers
from tasks.plan import Plan
from tasks.planning import verification_of
from tasks.record.answers import Busy, IfBusy, Links
from tasks.record.reading import RecordReader
from tasks.record.steering import Steering
from tasks.record.store import RecordWriter


class NotSentError(RedisUnreachableError):
    """A run is recorded and its first message couldn't be sent; workers look for such runs by themselves.

    Attributes:
        run_id: of the recorded run.
    """

    def __init__(self, run_id: str, error: RedisUnreachableError) -> None:
        super().__init__(
            f"Run {run_id} is recorded, and its message couldn't be sent: {error} "
            f"Nothing is lost: once Redis is back, the pool's workers find the run and begin it. "
            f"`longshore watch {run_id}` follows it."
        )
        self.run_id = run_id


class BusyError(LongshoreError):
    """Another deployment wants one of the hosts, and this one was not to wait; nothing was sent.

    Attributes:
        run_id: of the other one.
    """

    def __init__(self, busy: Busy) -> None:
        super().__init__(
            f"Nothing was sent: run {busy.run_id} comes first for {busy.host}, and --if-busy fail says not "
            f"to wait. `longshore watch {busy.run_id}` follows it; without that option this one waits."
        )
        self.run_id = busy.run_id


class Submitter:
    """Writes runs and sends their first messages."""

    def __init__(self, servers: Servers, settings: Settings, *, operator: str) -> None:
        self._servers = servers
        self._settings = settings
        self._operator = operator
        self._reader = RecordReader(servers.record)
        self._writer = RecordWriter(servers.record, ttl_seconds=int(settings.record_ttl))
        self._steering = Steering(servers.record, release_ttl_seconds=int(settings.release_ttl))

    def verify(self, plan: Plan, *, links: Links = Links()) -> Run:  # noqa: B008 - it is frozen
        """Submit a verification.

        Raises:
            NotSentError: the run is recorded and will begin once Redis is back.
            RedisUnreachableError: nothing was sent.
        """
        self._servers.check()
        run_id = self._record(plan, links, "wait")
        self._send(run_id, plan)
        return Run(run_id, self._servers, plan)

    def deploy(self, plan: Plan, *, links: Links = Links(), if_busy: IfBusy = "wait") -> Run:  # noqa: B008 - frozen
        """Submit a deployment; hosts that weren't verified lately are verified first, by a run of their own.

        Args:
            plan: what was decided.
            links: the runs that it has to do with.
            if_busy: what becomes of it when another deployment wants one of its hosts.

        Raises:
            BusyError: another one does, and it was not to wait; nothing was sent.
            NotSentError: the run is recorded and will begin once Redis is back.
            RedisUnreachableError: nothing was sent.
        """
        self._servers.check()
        unverified = self._unverified(plan)
        if not unverified:
            run_id = self._record(plan, links, if_busy)
            self._send(run_id, plan)
            return Run(run_id, self._servers, plan)
        first = verification_of(plan, unverified)
        verification = self._record(first, Links(), "wait")
        try:
            run_id = self._record(plan, replace(links, verification=verification), if_busy)
        except BusyError:
            with self._servers.reading_record():
                self._steering.cancel(verification, operator=self._operator)
            raise
        with self._servers.reading_record():
            self._writer.depend(verification, run_id)
        # The verification's end sets the deployment in motion.
        self._send(verification, first, of=run_id)
        return Run(run_id, self._servers, plan)

    def _unverified(self, plan: Plan) -> list[str]:
        with self._servers.reading_record():
            return self._writer.unverified(plan.hosts, within_seconds=self._settings.verification_ttl)

    def _record(self, plan: Plan, links: Links, if_busy: IfBusy) -> str:
        """Write a new run; its id is drawn again in the rare case that it is taken."""
        marker = secrets.token_hex(16)
        while True:
            run_id = new_run_id(datetime.now(UTC), secrets.token_hex(2))
            with self._servers.reading_record():
                made = self._writer.create(
                    run_id, plan, operator=self._operator, marker=marker, links=links, if_busy=if_busy
                )
                taken = self._reader.marker(run_id) != marker
            if isinstance(made, Busy):
                raise BusyError(made)
            if not taken:
                self._tell_gates(made.superseded)
                return run_id

    def _tell_gates(self, run_ids: Iterable[str]) -> None:
        """Have runs that this one took the place of end; workers find those that are not told."""
        for run_id in run_ids:
            with self._servers.reading_record():
                standing = self._writer.standing(run_id)
            if standing is not None:
                with suppress(RedisUnreachableError):
                    self._servers.send_gate(run_id, title=standing.title, pools=standing.pools)

    def _send(self, run_id: str, plan: Plan, *, of: str | None = None) -> None:
        pools = list(dict.fromkeys(target.pool for target in plan.hosts.values()))
        try:
            self._servers.send_gate(run_id, title=plan.title, pools=pools, first=True)
        except RedisUnreachableError as error:
            raise NotSentError(of or run_id, error) from None


def new_run_id(now: datetime, random_hex: str) -> str:
    """An id that sorts by time and can be read aloud: ``20260131-142530-9f3a``."""
    return f"{now:%Y%m%d-%H%M%S}-{random_hex}"
