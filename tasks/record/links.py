"""Connections to the record's Redis: which server is asked, and which of its refusals pass by themselves."""

from typing import Any

import redis
from redis.sentinel import MasterNotFoundError, Sentinel

from workers.primary import PrimaryConnection

_NOT_NOW = (
    "can't write against a read only replica",
    "master is down and replica-serve-stale-data",
    "not enough good replicas",
    "busy running a script",
    "misconf ",  # its disk is full, say
    "used memory > 'maxmemory'",
    "instance state changed",
)
"""What servers say that write nothing just now: replicas, and those that are full or come back. Words, since
the codes are lost where a script met with them (Redis 6), or have no class of their own."""


class NotNowError(redis.ConnectionError):
    """The server refuses for the time being, and has done nothing; like one that can't be reached."""


class Link(redis.Connection):
    """A connection; see ``NotNowError``."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Wait for an answer."""
        try:
            return super().read_response(*args, **options)
        except redis.ResponseError as error:
            if not any(words in str(error).lower() for words in _NOT_NOW):
                raise
            # The next try may find another server behind the same name.
            self.disconnect()  # type: ignore[no-untyped-call] # of redis-py
            raise NotNowError(str(error)) from error


class TlsLink(Link, redis.SSLConnection):
    """The same with TLS."""


class PrimaryLink(PrimaryConnection, Link):
    """A connection to whichever server the Sentinels name."""


class TlsPrimaryLink(PrimaryConnection, TlsLink):
    """The same with TLS."""


class Sentinels(Sentinel):
    """Asked for the primary by many threads; the one that answered last is asked first."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Host and port of the primary.

        Raises:
            MasterNotFoundError: in words for people.
        """
        silent: list[str] = []
        known: set[str] = set()
        asked = list(self.sentinels)
        for sentinel in asked:
            try:
                primaries: dict[str, dict[str, Any]] = sentinel.sentinel_masters()  # type: ignore[assignment] # RESP2
            except (redis.ConnectionError, redis.TimeoutError) as error:
                silent.append(str(error).rstrip("."))
                continue
            known |= primaries.keys()
            state = primaries.get(service_name)
            if state and not state["is_sdown"] and not state["is_odown"]:
                # Put in place as a whole: a swap, as in the base class, loses one when two threads swap.
                self.sentinels = [sentinel, *(other for other in asked if other is not sentinel)]
                return state["ip"], state["port"]
        raise MasterNotFoundError(_not_found(service_name, known, silent))


def _not_found(name: str, known: set[str], silent: list[str]) -> str:
    if name in known:
        return f"no server is the primary of {name} just now"
    if known:
        return f"the Sentinels know no {name}, but {', '.join(sorted(known))}"
    return f"no Sentinel answers: {'; '.join(silent)}"
