"""How much waits in the broker's queues."""

import redis

from config.celery_settings import queue_name


class BrokerQueues:
    """The queues of pools, as the broker holds them."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def waiting(self, pool: str) -> int:
        """Messages that no worker has taken yet."""
        return int(self._redis.llen(queue_name(pool)))
