"""The two Redis databases that a producer talks to: the broker and the record; every wait is bounded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from config.celery_settings import celery_settings, queue_name
from config.errors import RedisUnreachableError
from config.redis_urls import masked_url
from config.settings import Settings
from tasks.dispatch import Dispatcher
from tasks.record.connection import connect, reachable
from tasks.record.presence import Presence
from tasks.record.trouble import trouble

TIMEOUT_SECONDS = 3.0
PING_SECONDS = 2.0
_RETRY = {"max_retries": 1, "interval_start": 0.1, "interval_step": 0.0, "interval_max": 0.1}


class Servers:
    """The broker and the record; connected to at first use."""

    def __init__(self, settings: Settings) -> None:
        self._broker_url = settings.redis_url
        self._record_url = settings.record_url
        self.broker = connect(settings.redis_url, timeout=TIMEOUT_SECONDS)
        self.record = connect(settings.record_url, timeout=TIMEOUT_SECONDS)
        self._app = _bounded_app(settings)
        self._met: set[redis.Redis] = set()

    def check(self) -> None:
        """Learn at once, before anything is written, that one of them is not there.

        Raises:
            RedisUnreachableError: naming its address, without its password.
        """
        self._met.clear()
        self._meet(self.record, self._record_url)
        self._meet(self.broker, self._broker_url)

    @contextmanager
    def reading_record(self) -> Iterator[None]:
        """Turn what goes wrong with the record into words.

        Raises:
            RedisUnreachableError: it can't be reached, or refuses.
        """
        self._meet(self.record, self._record_url)
        with _speaking(masked_url(self._record_url)):
            yield

    def send_gate(self, run_id: str, *, title: str, pools: Sequence[str], first: bool = False) -> None:
        """Ask a worker to decide what comes next in a run; ``first`` when nobody was asked before.

        Raises:
            RedisUnreachableError: the message couldn't be sent.
        """
        dispatcher = Dispatcher(
            self._app, live_pools=lambda: {worker.pool for worker in Presence(self.record).live()}
        )
        self._meet(self.broker, self._broker_url)
        with _speaking(masked_url(self._broker_url)):
            dispatcher.gate(run_id, title=title, pools=pools, first=first)

    def queue_lengths(self, pools: Sequence[str]) -> dict[str, int]:
        """How many messages wait for each pool."""
        self._meet(self.broker, self._broker_url)
        with _speaking(masked_url(self._broker_url)), self.broker.pipeline(transaction=False) as pipeline:
            for pool in pools:
                pipeline.llen(queue_name(pool))
            return dict(zip(pools, pipeline.execute(), strict=True))

    def _meet(self, client: redis.Redis, url: str) -> None:
        """Ping a server before its first use: a client's own two tries at a silent one take too long."""
        if client not in self._met:
            _ping(url)
            self._met.add(client)

    def close(self) -> None:
        """Give every connection back."""
        self._app.close()
        self.broker.close()
        self.record.close()


def _bounded_app(settings: Settings) -> Celery:
    """A Celery app that gives up soon: workers outwait an outage, a person at a prompt is told instead."""
    app = Celery("longshore", set_as_current=False)
    options = celery_settings(settings)
    options["broker_transport_options"] |= _RETRY | {
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
    }
    options["task_publish_retry_policy"] = _RETRY
    app.config_from_object(options)
    return app


def _ping(url: str) -> None:
    """One try, so that the worst case stays within the few seconds that a person waits."""
    with _speaking(masked_url(url)), connect(url, timeout=PING_SECONDS, retries=0) as once:
        once.ping()


@contextmanager
def _speaking(shown_url: str) -> Iterator[None]:
    try:
        with reachable(shown_url):
            yield
    except OperationalError as error:
        # kombu's error says no more than that of the client beneath it.
        beneath = error.__cause__ if isinstance(error.__cause__, redis.RedisError) else error
        raise RedisUnreachableError(trouble(shown_url, beneath)) from None
