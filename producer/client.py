"""The Python client: submits runs and reads the record."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from os import PathLike
from types import TracebackType
from typing import Self, TypeVar

from config.application import Application
from config.errors import RedisUnreachableError
from config.fleet import Fleet
from config.loading import load_application, load_fleet, placed
from config.settings import load_settings
from config.targets import HostTarget
from producer.login import login_name
from producer.pools import pool_names, pool_views
from producer.run import Run, UnknownRunError
from producer.servers import Servers
from tasks.plan import Plan
from tasks.planning import plan_deployment, plan_verification
from tasks.record.presence import Presence
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter
from tasks.record.views import PoolView, RunSummary

__all__ = ["Cancellation", "Client", "NotSentError", "Run", "UnknownRunError"]

_Loaded = TypeVar("_Loaded", Fleet, Application)
Names = str | Iterable[str]


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


@dataclass(frozen=True, kw_only=True)
class Cancellation:
    """What came of asking for a run's end.

    Attributes:
        state: in which the run had already ended; None when its end is on the way.
        under_way: hosts that are still to be ended.
    """

    run_id: str
    state: str | None
    under_way: int = 0


class Client:
    """Submits runs and reads the record; a context manager that gives its connections back."""

    def __init__(
        self, redis_url: str | None = None, record_url: str | None = None, operator: str | None = None
    ) -> None:
        """Nothing is connected to yet.

        Args:
            redis_url: the broker; by default ``$LONGSHORE_REDIS_URL``.
            record_url: the record; by default ``$LONGSHORE_RECORD_URL``, else the broker's database 1.
            operator: who asks, for the record; by default the login name.

        Raises:
            BadInputError: a setting is not valid.
        """
        given = {"redis_url": redis_url, "record_url": record_url}
        self.settings = load_settings(**{name: url for name, url in given.items() if url is not None})
        self.operator = operator or login_name()
        self._servers = Servers(self.settings)
        self._reader = RecordReader(self._servers.record)
        self._writer = RecordWriter(self._servers.record, ttl_seconds=int(self.settings.record_ttl))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._servers.close()

    def verify(self, fleet: Fleet | str | PathLike[str], targets: Names) -> Run:
        """Submit the verification of hosts.

        Args:
            fleet: as loaded, or the path of a fleet file.
            targets: names of clusters and hosts, of any pools.

        Raises:
            BadInputError: something asked for is not valid; nothing was sent.
            NotSentError: the run is recorded and will begin once Redis is back.
            RedisUnreachableError: nothing was sent.
        """
        plan = plan_verification(_loaded(fleet, load_fleet), _names(targets))
        self._servers.check()
        run_id = self._record(plan)
        self._send(run_id, plan)
        return self.run(run_id)

    def deploy(
        self,
        fleet: Fleet | str | PathLike[str],
        application: Application | str | PathLike[str],
        to: Names,
        parameters: Mapping[str, str] | None = None,
    ) -> Run:
        """Submit a deployment; hosts that weren't verified lately are verified first, by a run of their own.

        Args:
            fleet: as loaded, or the path of a fleet file.
            application: as loaded, or the path of an application file.
            to: the name of a cluster, or names of some of its hosts.
            parameters: values by name.

        Raises:
            BadInputError: something asked for is not valid; nothing was sent.
            NotSentError: the run is recorded and will begin once Redis is back.
            RedisUnreachableError: nothing was sent.
        """
        fleet = _loaded(fleet, load_fleet)
        loaded = _loaded(application, load_application)
        with nullcontext() if isinstance(application, Application) else placed(application):
            plan = plan_deployment(fleet, loaded, _names(to), parameters or {})
        self._servers.check()
        unverified = self._unverified(plan)
        if not unverified:
            run_id = self._record(plan)
            self._send(run_id, plan)
            return self.run(run_id)
        first = plan_verification(fleet, unverified)
        verification = self._record(first)
        run_id = self._record(plan, verification=verification)
        with self._servers.reading_record():
            self._writer.depend(verification, run_id)
        # The verification's end sets the deployment in motion.
        self._send(verification, first, of=run_id)
        return self.run(run_id)

    def run(self, run_id: str) -> Run:
        """A handle on a run; whether there is such a run shows at its first use."""
        return Run(run_id, self._servers)

    def runs(self, limit: int = 20) -> list[RunSummary]:
        """The newest runs, newest first."""
        with self._servers.reading_record():
            return self._reader.recent(limit)

    def cancel(self, run_id: str) -> Cancellation:
        """Ask for a run's end, and for that of the verification that it waits for.

        Raises:
            UnknownRunError: there is no such run.
            RedisUnreachableError: the record can't be reached.
        """
        with self._servers.reading_record():
            answer, detail = self._writer.cancel(run_id, operator=self.operator)
            if answer == "unknown":
                raise UnknownRunError(run_id)
            if answer == "ended":
                return Cancellation(run_id=run_id, state=detail)
            standing = self._writer.standing(run_id)
        if standing is not None:
            if standing.verification and standing.batch < 0:
                self.cancel(standing.verification)
            self._servers.send_gate(run_id, title=standing.title, pools=standing.pools)
        return Cancellation(run_id=run_id, state=None, under_way=int(detail))

    def pools(self, fleet: Fleet | str | PathLike[str] | None = None) -> tuple[PoolView, ...]:
        """The pools of the fleet and those that have workers, and what waits for each."""
        loaded = None if fleet is None else _loaded(fleet, load_fleet)
        with self._servers.reading_record():
            workers = Presence(self._servers.record).live()
        waiting = self._servers.queue_lengths(pool_names(loaded, workers))
        return pool_views(loaded, workers, waiting)

    def verified(self, targets: Iterable[HostTarget]) -> dict[str, float]:
        """When hosts were last verified ok, in seconds since 1970; those never are left out."""
        with self._servers.reading_record():
            return self._reader.verified(targets)

    def _unverified(self, plan: Plan) -> list[str]:
        with self._servers.reading_record():
            return self._writer.unverified(plan.hosts, within_seconds=self.settings.verification_ttl)

    def _record(self, plan: Plan, *, verification: str | None = None) -> str:
        """Write a new run; its id is drawn again in the rare case that it is taken."""
        marker = secrets.token_hex(16)
        with self._servers.reading_record():
            while True:
                run_id = new_run_id(datetime.now(UTC), secrets.token_hex(2))
                self._writer.create(
                    run_id, plan, operator=self.operator, marker=marker, verification=verification
                )
                if self._reader.marker(run_id) == marker:
                    return run_id

    def _send(self, run_id: str, plan: Plan, *, of: str | None = None) -> None:
        pools = list(dict.fromkeys(target.pool for target in plan.hosts.values()))
        try:
            self._servers.send_gate(run_id, title=plan.title, pools=pools, first=True)
        except RedisUnreachableError as error:
            raise NotSentError(of or run_id, error) from None


def new_run_id(now: datetime, random_hex: str) -> str:
    """An id that sorts by time and can be read aloud: ``20260131-142530-9f3a``."""
    return f"{now:%Y%m%d-%H%M%S}-{random_hex}"


def _loaded(given: _Loaded | str | PathLike[str], load: Callable[[str | PathLike[str]], _Loaded]) -> _Loaded:
    return load(given) if isinstance(given, str | PathLike) else given


def _names(given: Names) -> Sequence[str]:
    return [given] if isinstance(given, str) else list(given)
