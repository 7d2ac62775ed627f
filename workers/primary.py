"""A connection to whichever Redis server the Sentinels name, for the broker and for the record."""

from typing import Any

import redis
from redis.sentinel import SentinelManagedConnection


class PrimaryConnection(SentinelManagedConnection):
    """Asks the Sentinels each time that it connects.

    redis-py's own asks at the first time and, when a command finds the connection lost, goes back to where it
    was: of a primary that hangs it awaits two answers, with a demoted one it stays.
    """

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - its face
        """Send a command, already packed."""
        if not self.is_connected:
            self.connect()  # type: ignore[no-untyped-call] # of redis-py
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call] # as above


class TlsPrimaryConnection(PrimaryConnection, redis.SSLConnection):
    """The same with TLS."""
