"""What is wrong with a Redis, in words: what happened, why (likeliest first), what to try. Pure."""

from dataclasses import dataclass

import redis
from redis.sentinel import MasterNotFoundError

_URLS = "LONGSHORE_REDIS_URL (for the record LONGSHORE_RECORD_URL, where that is set)"


@dataclass(frozen=True, kw_only=True)
class _Trouble:
    """One kind of trouble.

    Attributes:
        kind: the client's error.
        said: a part of the server's words that tells it from others of its kind; empty for all of them.
        happened: follows the address.
    """

    kind: type[Exception]
    said: str = ""
    happened: str
    why: str
    attempt: str


# The first that fits counts; several kinds are kinds of ConnectionError, too.
_TROUBLES = (
    _Trouble(
        kind=redis.AuthenticationError,
        said="authentication required",
        happened="wants a password and was given none",
        why="Likely the URL has none in it, or this Redis got one since.",
        attempt=f"Put it into {_URLS}, as in redis://:PASSWORD@HOST:PORT/0.",
    ),
    _Trouble(
        kind=redis.AuthenticationError,
        said="without any password configured",
        happened="has no password and was given one",
        why="Likely the URL names another Redis than is meant, or this one lost its configuration.",
        attempt=f"Look at the host and port in {_URLS}, or leave the password out.",
    ),
    _Trouble(
        kind=redis.AuthenticationError,
        happened="refuses the login",
        why=(
            "Likely the password in the URL is wrong or was changed, a special character in it is not "
            "percent-encoded (%40 for @), or its user doesn't exist or is switched off."
        ),
        attempt=f"Correct it in {_URLS}, as in redis://USER:PASSWORD@HOST:PORT/0; USER may be left out.",
    ),
    _Trouble(
        kind=redis.exceptions.NoPermissionError,
        happened="knows the user and doesn't let it do this",
        why="Likely the user in the URL has too few rights: Longshore needs all keys, and scripts.",
        attempt=f"Widen its rights (ACL SETUSER NAME ~* &* +@all), or name another user in {_URLS}.",
    ),
    _Trouble(
        kind=redis.exceptions.ReadOnlyError,
        happened="can't be written to",
        why="Likely it is a replica, or was the primary and is one now.",
        attempt=f"Name the primary in {_URLS}, or Sentinels (redis+sentinel://), which know it.",
    ),
    _Trouble(
        kind=redis.BusyLoadingError,
        happened="isn't ready yet",
        why="It was started a moment ago and still reads its data from disk.",
        attempt="Try again in a minute; its log says how far it is.",
    ),
    _Trouble(
        kind=redis.exceptions.OutOfMemoryError,
        happened="has no memory left for anything new",
        why="Likely its maxmemory is too low for the records that are kept, or something else fills it.",
        attempt="Raise maxmemory, or keep records for less time with LONGSHORE_RECORD_TTL.",
    ),
    _Trouble(
        kind=redis.ResponseError,
        said="DB index is out of range",
        happened="has no database of this number",
        why="Likely the number at the URL's end is too high, or this Redis has fewer than the usual 16.",
        attempt=f"Choose a lower one in {_URLS}, or raise `databases` in the server's configuration.",
    ),
    _Trouble(
        kind=redis.InvalidResponse,
        happened="doesn't speak as a Redis does",
        why="Likely something else listens on this port.",
        attempt=f"Look at the host and port in {_URLS}.",
    ),
    _Trouble(
        kind=redis.ConnectionError,
        said="[ssl",
        happened="can't be reached over TLS",
        why="Likely the certificate is not one that this machine trusts, or is another host's.",
        attempt=f"Name the authority with ?ssl_ca_certs=FILE in {_URLS}, and the host as in the certificate.",
    ),
    _Trouble(
        kind=MasterNotFoundError,
        said="the Sentinels know no",
        happened="is not known by that name",
        why="Likely the name behind the Sentinels' addresses is not the one of their `sentinel monitor`.",
        attempt=f"Correct it in {_URLS}, as in redis+sentinel://HOST:26379/NAME/0.",
    ),
    _Trouble(
        kind=MasterNotFoundError,
        said="no server is the primary",
        happened="has no primary",
        why="Likely it was lost a moment ago and the Sentinels are agreeing on another.",
        attempt="Try again in half a minute; the Sentinels' logs say what they wait for.",
    ),
    _Trouble(
        kind=MasterNotFoundError,
        happened="can't be found",
        why="Likely its Sentinels don't run, or listen elsewhere.",
        attempt=f"Start them, or correct their addresses in {_URLS}.",
    ),
    _Trouble(
        kind=redis.TimeoutError,
        happened="doesn't answer in time",
        why=(
            "Likely a firewall on the way drops what is sent, the server hangs, or one side speaks TLS and "
            "the other doesn't (rediss:// is with TLS, redis:// without)."
        ),
        attempt=f"Look at the host, the port and the scheme in {_URLS}, and whether it answers others.",
    ),
    _Trouble(
        kind=redis.ResponseError,
        happened="answers and refuses",
        why="Likely something in its configuration forbids this, its disk is full, or it is too old.",
        attempt="Look into its log; `redis-cli` with the same address shows whether it takes other commands.",
    ),
    _Trouble(
        kind=Exception,
        happened="can't be reached",
        why="Likely it isn't running, or LONGSHORE_REDIS_URL names another place.",
        attempt="Start it (`longshore up` brings one of its own), or set LONGSHORE_REDIS_URL.",
    ),
)


def trouble(masked_url: str, error: Exception) -> str:
    """What happened, why, and what to try, of an error that a client of Redis met with.

    Args:
        masked_url: where, without a password.
        error: what the client raised; its own words are the server's, which repeat no password.
    """
    said = str(error).strip().rstrip(".")
    found = next(
        each for each in _TROUBLES if isinstance(error, each.kind) and each.said.lower() in said.lower()
    )
    return f"Redis at {masked_url} {found.happened}: {said}. {found.why} {found.attempt}"
