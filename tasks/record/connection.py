"""Connects to the Redis database that holds the record."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

from config.errors import RedisUnreachableError
from config.redis_urls import RedisAddress, redis_address
from tasks.record.links import Link, NotNowError, PrimaryLink, Sentinels, TlsLink, TlsPrimaryLink
from tasks.record.trouble import trouble

_SHORTEST_WAIT_FOR_A_SENTINEL = 1.0


def connect(url: str, *, timeout: float = 5.0, retries: int = 1) -> redis.Redis:
    """A client for ``url``; it connects at first use, each wait bounded by ``timeout`` seconds.

    Behind Sentinels it goes wherever they say that the primary is, each time that it connects.

    Args:
        url: as in the settings.
        timeout: seconds.
        retries: immediate ones: a kept connection that the server has closed is no news.
    """
    address = redis_address(url)
    options = {
        "db": address.database,
        "username": address.user,
        "password": address.password,
        "health_check_interval": 10,
        "protocol": 2,
        "retry": Retry(NoBackoff(), retries),
        **_waiting(timeout),
        **address.tls_options,
    }
    if address.primary:
        return redis.Redis.from_pool(_pool_of_the_primary(address, options, timeout))
    host, port = address.servers[0]
    link = TlsLink if address.tls else Link
    return redis.Redis.from_pool(redis.ConnectionPool(connection_class=link, host=host, port=port, **options))


def _pool_of_the_primary(
    address: RedisAddress, options: dict[str, Any], timeout: float
) -> redis.ConnectionPool:
    # Several of them may be silent, one after the other.
    each = max(_SHORTEST_WAIT_FOR_A_SENTINEL, timeout / len(address.servers))
    asking = {**_waiting(each), "retry": Retry(NoBackoff(), 0)}
    if address.tls:
        asking |= {"ssl": True, **address.tls_options}
    return SentinelConnectionPool(  # type: ignore[no-untyped-call] # of redis-py
        address.primary,
        Sentinels(address.servers, sentinel_kwargs=asking),  # type: ignore[no-untyped-call] # as above
        connection_class=TlsPrimaryLink if address.tls else PrimaryLink,
        **options,
    )


def _waiting(timeout: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": min(timeout, 3.0),
        "socket_keepalive": True,
    }


@contextmanager
def reachable(masked_url: str) -> Iterator[None]:
    """Turn whatever Redis or the way to it refuses into words for people.

    Raises:
        RedisUnreachableError: naming the address, without its password.
    """
    try:
        yield
    except redis.RedisError as error:
        refusal = error.__cause__
        said = refusal if isinstance(error, NotNowError) and isinstance(refusal, Exception) else error
        raise RedisUnreachableError(trouble(masked_url, said)) from None
