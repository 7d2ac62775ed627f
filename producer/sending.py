"""Sends the messages that set runs in motion: by name, to a pool's queue, with a bounded wait."""

from typing import TYPE_CHECKING

from celery import Celery
from kombu.exceptions import OperationalError

from config.celery_settings import celery_settings, queue_name
from config.errors import RedisUnreachableError
from tasks.record.connection import connect, reachable

if TYPE_CHECKING:
    from config.settings import Settings

ADVANCE = "longshore.advance"
TIMEOUT_SECONDS = 3.0
_RETRY = {"max_retries": 1, "interval_start": 0.1, "interval_step": 0.0, "interval_max": 0.1}


class Sender:
    """The broker, as far as a producer needs it."""

    def __init__(self, settings: "Settings") -> None:
        self._masked_url = settings.masked_redis_url
        self._redis = connect(settings.redis_url, timeout=TIMEOUT_SECONDS)
        self._app = Celery("longshore", set_as_current=False)
        self._app.conf.update(celery_settings(settings))
        # Workers wait for Redis as long as it takes; a person at a prompt is told instead.
        self._app.conf.broker_transport_options = {
            **self._app.conf.broker_transport_options,
            **_RETRY,
            "socket_timeout": TIMEOUT_SECONDS,
            "socket_connect_timeout": TIMEOUT_SECONDS,
        }

    def advance(self, run_id: str, *, pool: str, title: str) -> None:
        """Ask any worker of ``pool`` to decide what comes next in a run.

        Raises:
            RedisUnreachableError: the message couldn't be sent.
        """
        try:
            self._app.send_task(
                ADVANCE,
                args=(run_id,),
                queue=queue_name(pool),
                argsrepr=f"{title} · gate · run {run_id}",
                kwargsrepr="",
                root_id=run_id,
                ignore_result=True,
                retry=True,
                retry_policy=_RETRY,
            )
        except OperationalError as error:
            raise RedisUnreachableError(f"Redis at {self._masked_url} can't be reached: {error}") from None

    def queue_length(self, pool: str) -> int:
        """How many messages wait in a pool's queue."""
        with reachable(self._masked_url):
            length: int = self._redis.llen(queue_name(pool))  # type: ignore[assignment] # not the asyncio client
        return length

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()
        self._app.close()
