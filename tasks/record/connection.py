"""Connects to the Redis database that holds the record."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.errors import RedisUnreachableError


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
    """Turn a lost or refused connection into words for people.

    Raises:
        RedisUnreachableError: naming the address, without its password.
    """
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise RedisUnreachableError(
            f"Redis at {masked_url} can't be reached: {str(error).rstrip('.')}. "
            "Likely it isn't running, or LONGSHORE_REDIS_URL names another place. "
            "Start it (`longshore up` brings one of its own), or set LONGSHORE_REDIS_URL."
        ) from None
