"""A handle on one run: look at it, follow it, wait for its end."""

import time
from collections.abc import Iterable, Iterator

import redis

from config.errors import BadInputError, RedisUnreachableError
from producer.progress import Progress, ProgressFold
from producer.servers import Servers
from tasks.plan import Plan
from tasks.record.reading import RecordReader
from tasks.record.views import LogView, RunView

TICK_SECONDS = 1.0
PACE_SECONDS = 0.1
PATIENCE_SECONDS = 60.0


class UnknownRunError(BadInputError):
    """There is no such run."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f'There is no run "{run_id}": its record was kept for its time and is gone, the id is mistyped, '
            "or it is in another Redis. `longshore runs` lists the runs of this one."
        )


class Run:
    """One run, by its id.

    Attributes:
        id: as ``longshore runs`` shows it.
    """

    def __init__(self, run_id: str, servers: Servers, plan: Plan | None = None) -> None:
        """Nothing is read yet.

        Args:
            run_id: the run's.
            servers: where its record is.
            plan: what the record has, where that is known already.
        """
        self.id = run_id
        self._plan = plan
        self._servers = servers
        self._reader = RecordReader(servers.record)

    def view(self) -> RunView:
        """Everything about it but its logs.

        Raises:
            UnknownRunError: there is no such run.
            RedisUnreachableError: the record can't be reached.
        """
        with self._servers.reading_record():
            view = self._reader.run(self.id)
        if view is None:
            raise UnknownRunError(self.id)
        return view

    def plan(self) -> Plan:
        """What was decided before it started; raises as ``view`` does."""
        if self._plan is None:
            with self._servers.reading_record():
                self._plan = self._reader.plan(self.id)
        if self._plan is None:
            raise UnknownRunError(self.id)
        return self._plan

    def verification(self) -> "Run | None":
        """The run that verifies its hosts first, if any; raises as ``view`` does."""
        run_id = self.view().verification
        return Run(run_id, self._servers) if run_id else None

    def follow(self, *, patience: float = PATIENCE_SECONDS) -> Iterator[Progress]:
        """How far it is: whenever something has happened, and every second in between, until its end.

        Args:
            patience: seconds that an outage of the record is waited out.

        Raises:
            UnknownRunError: there is no such run.
            RedisUnreachableError: the record can't be reached, at once or for longer than ``patience``.
        """
        plan = self.plan()
        fold, clock = ProgressFold(self.id, plan), self._server_clock_offset()
        lost_at: float | None = None
        while not (fold.ended and self._is_over()):
            try:
                waiting = self._take_news(fold, plan)
                lost_at = None
                yield fold.progress(now=time.time() + clock, waiting=waiting)
            except (redis.ConnectionError, redis.TimeoutError) as error:
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at > patience:
                    raise RedisUnreachableError(
                        f"The record can't be reached any more: {error}. The run goes on without being "
                        f"watched; `longshore watch {self.id}` follows it again."
                    ) from None
                yield fold.progress(now=time.time() + clock, outage=str(error))
                time.sleep(TICK_SECONDS)

    def wait(self) -> RunView:
        """Wait for its end; raises as ``follow`` does."""
        for _ in self.follow():
            pass
        return self.view()

    def log(self, host: str) -> LogView:
        """What one of its hosts printed so far."""
        with self._servers.reading_record():
            return self._reader.log(self.id, host)

    def log_head(self, host: str, *, start: int = 0) -> bytes:
        """The head of what one of its hosts printed so far, from byte ``start`` on."""
        with self._servers.reading_record():
            return self._reader.log_head(self.id, host, start=start)

    def hosts_done(self, hosts: Iterable[str]) -> set[str]:
        """Those of the hosts that print nothing any more: they have ended, or the run has."""
        with self._servers.reading_record():
            state, statuses = self._reader.state(self.id), self._reader.statuses(self.id)
        if state is None:
            raise UnknownRunError(self.id)
        return {host for host in hosts if state.ended or statuses.get(host, "").startswith("done ")}

    def _is_over(self) -> bool:
        """Whether the record says so too: a person may have let a run go on that had ended."""
        with self._servers.reading_record():
            state = self._reader.state(self.id)
        return state is None or state.ended

    def _take_news(self, fold: ProgressFold, plan: Plan) -> str:
        """Take what is new, and tell why the run waits when it does."""
        events = self._reader.events(self.id, after=fold.after, block_ms=int(TICK_SECONDS * 1000))
        fold.take(events)
        if fold.ended:
            return ""
        if not events and not self._reader.exists(self.id):
            raise UnknownRunError(self.id)
        if events:
            # Many events come at once in a big run; taking them in one go costs the record less.
            time.sleep(PACE_SECONDS)
            return ""
        return self._reader.waiting(self.id, plan)

    def _server_clock_offset(self) -> float:
        with self._servers.reading_record():
            seconds, microseconds = self._servers.record.time()
        return float(seconds) + float(microseconds) / 1e6 - time.time()
