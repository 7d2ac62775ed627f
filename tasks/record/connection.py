"""Connects to the Redis database that holds the record."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.errors import RedisUnreachableError
from tasks.record.trouble import trouble


def connect(url: str, *, timeout: float = 5.0) -> redis.Redis:
    """A client for ``url``; it connects at first use, each wait bounded by ``timeout`` seconds.

    One immediate second try: a kept connection that the server has closed is no news.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, 3.0),
        socket_keepalive=True,
        health_check_interval=10,
        protocol=2,
        retry=Retry(NoBackoff(), 1),
    )


@contextmanager
def reachable(masked_url: str) -> Iterator[None]:
    """Turn whatever Redis or the way to it refuses into words for people.

    Raises:
        RedisUnreachableError: naming the address, without its password.
    """
    try:
        yield
    except redis.RedisError as error:
        raise RedisUnreachableError(trouble(masked_url, error)) from None
