"""How much waits in the broker's queues."""

import redis

from config.celery_settings import queue_name


class BrokerQueues:
    """The queues of pools, as the broker holds them."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=3.0)

    def waiting(self, pool: str) -> int:
        """Messages that no worker has taken yet."""
        return int(self._redis.llen(queue_name(pool)))
