"""The Python client: submits runs and reads the record."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from os import PathLike
from types import TracebackType
from typing import Self, TypeVar

from config.application import Application
from config.fleet import Fleet
from config.loading import load_application, load_fleet, placed
from config.settings import load_settings
from config.targets import HostTarget
from producer.login import login_name
from producer.pools import pool_names, pool_views
from producer.run import Run, UnknownRunError
from producer.servers import Servers
from producer.steering import Steering
from producer.submitting import BusyError, NotSentError, Submitter
from tasks.planning import plan_deployment, plan_verification
from tasks.record.answers import IfBusy
from tasks.record.presence import Presence
from tasks.record.reading import RecordReader
from tasks.record.views import PoolView, RunSummary

__all__ = ["BusyError", "Client", "NotSentError", "Run", "UnknownRunError"]

_Loaded = TypeVar("_Loaded", Fleet, Application)
Names = str | Iterable[str]


class Client:
    """Submits runs and reads the record; a context manager that gives its connections back.

    Attributes:
        settings: what is true for this process.
        operator: who asks.
        steer: what can be asked of runs that are there.
    """

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
        self._submitter = Submitter(self._servers, self.settings, operator=self.operator)
        self.steer = Steering(self._servers, self.settings, self._submitter, operator=self.operator)

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
        return self._submitter.verify(plan)

    def deploy(
        self,
        fleet: Fleet | str | PathLike[str],
        application: Application | str | PathLike[str],
        to: Names,
        parameters: Mapping[str, str] | None = None,
        *,
        if_busy: IfBusy = "wait",
    ) -> Run:
        """Submit a deployment; hosts that weren't verified lately are verified first, by a run of their own.

        Args:
            fleet: as loaded, or the path of a fleet file.
            application: as loaded, or the path of an application file.
            to: the name of a cluster, or names of some of its hosts.
            parameters: values by name.
            if_busy: what becomes of it when another deployment wants one of its hosts.

        Raises:
            BadInputError: something asked for is not valid; nothing was sent.
            BusyError: another deployment comes first, and this one was not to wait; nothing was sent.
            NotSentError: the run is recorded and will begin once Redis is back.
            RedisUnreachableError: nothing was sent.
        """
        fleet = _loaded(fleet, load_fleet)
        loaded = _loaded(application, load_application)
        with nullcontext() if isinstance(application, Application) else placed(application):
            plan = plan_deployment(fleet, loaded, _names(to), parameters or {})
        return self._submitter.deploy(plan, if_busy=if_busy)

    def run(self, run_id: str) -> Run:
        """A handle on a run; whether there is such a run shows at its first use."""
        return Run(run_id, self._servers)

    def runs(self, limit: int = 20) -> list[RunSummary]:
        """The newest runs, newest first."""
        with self._servers.reading_record():
            return self._reader.recent(limit)

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


def _loaded(given: _Loaded | str | PathLike[str], load: Callable[[str | PathLike[str]], _Loaded]) -> _Loaded:
    return load(given) if isinstance(given, str | PathLike) else given


def _names(given: Names) -> Sequence[str]:
    return [given] if isinstance(given, str) else list(given)
