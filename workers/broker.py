"""Celery's Redis transports, less a client object per message."""

from typing import Any

from kombu.transport import redis

from workers.primary import PrimaryConnection, TlsPrimaryConnection


class _KeptClient(redis.Channel):
    """Keeps the client of its connection pool.

    kombu makes a new one for every publish and acknowledgement, which costs a worker about a tenth of its
    CPU; a client is nothing but the pool and a table, and safe under many threads.
    """

    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002 - kombu's face
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call] # kombu has no types
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()  # type: ignore[no-untyped-call] # as above
        return self._kept


class Channel(_KeptClient):
    """The channel to a server."""


class Transport(redis.Transport):
    """The transport with that channel."""

    Channel = Channel


class SentinelChannel(_KeptClient, redis.SentinelChannel):
    """The channel to whichever server the Sentinels name."""

    connection_class = PrimaryConnection
    connection_class_ssl = TlsPrimaryConnection  # type: ignore[assignment] # kombu means any such class


class SentinelTransport(redis.SentinelTransport):
    """The transport with that channel."""

    Channel = SentinelChannel
