"""The URLs of Redis: a server's, or those of Sentinels that know which server is the primary."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from config.problems import listed
from config.values import is_address

_MASK = "***"
_TLS = {"redis": False, "rediss": True, "redis+sentinel": False, "rediss+sentinel": True}
_REDIS_PORT, _SENTINEL_PORT = 6379, 26379
_BEHIND_A_SERVER = r"/*(?P<name>)(?P<number>[0-9]{0,9})/*"
_BEHIND_SENTINELS = r"/(?P<name>[\w.-]+)(?:/+(?P<number>[0-9]{0,9}))?/*"

_A_FILE = re.compile(r".+")
TLS_OPTIONS = {
    "ssl_cert_reqs": re.compile(r"none|optional|required"),
    "ssl_check_hostname": re.compile(r"true|false"),
    "ssl_ca_certs": _A_FILE,
    "ssl_ca_path": _A_FILE,
    "ssl_certfile": _A_FILE,
    "ssl_keyfile": _A_FILE,
    "ssl_password": _A_FILE,
}
"""What both libraries that reach Redis, redis and kombu, take behind a URL's ``?``, and in which form."""


class RedisUrlError(ValueError):
    """What is wrong with a URL, in words that never show a value of it, which may be a password."""


@dataclass(frozen=True, kw_only=True)
class RedisAddress:
    """What a URL says.

    Attributes:
        servers: host and port of the server, or of each Sentinel.
        primary: the name that the Sentinels give the primary; empty where there are none.
        user, password: of the Redis server; Sentinels are asked without.
        tls_options: as in the URL, by name; only with TLS.
    """

    servers: tuple[tuple[str, int], ...]
    primary: str
    database: int
    user: str | None
    password: str | None = field(repr=False)
    tls: bool
    tls_options: dict[str, str | bool] = field(repr=False)

    def is_database_of(self, other: "RedisAddress") -> bool:
        """Whether both are the same database, as far as their URLs tell."""
        named = (self.primary, self.database) == (other.primary, other.database)
        return named and not set(self.servers).isdisjoint(other.servers)


def redis_address(url: str) -> RedisAddress:
    """Read a URL.

    Raises:
        RedisUrlError: it is none.
    """
    parts = _split(url)
    problem = next(_problems(parts), None)
    if problem is not None:
        raise RedisUrlError(problem)
    primary, database = _path(parts) or ("", 0)
    default_port = _SENTINEL_PORT if primary else _REDIS_PORT
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    return RedisAddress(
        servers=tuple((unquote(each.hostname or ""), each.port or default_port) for each in _places(parts)),
        primary=primary,
        database=database,
        user=unquote(user) or None,
        password=unquote(password) or None,
        tls=_TLS[parts.scheme],
        tls_options={
            key: value == "true" if key == "ssl_check_hostname" else value
            for key, value in parse_qsl(parts.query)
        },
    )


def with_database(url: str, database: int) -> str:
    """The same server's URL with another database."""
    parts = _split(url)
    primary = redis_address(url).primary
    return parts._replace(path=f"/{primary}/{database}" if primary else f"/{database}").geturl()


def masked_url(url: str) -> str:
    """A URL as it may be shown: every password in it replaced."""
    parts = _split(url)
    credentials, at, address = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    query = [(key, _MASK if "pass" in key.lower() else value) for key, value in parse_qsl(parts.query)]
    return parts._replace(
        netloc=f"{user}{colon}{_MASK if colon else ''}{at}{address}", query=urlencode(query, safe="*")
    ).geturl()


def _split(url: str) -> SplitResult:
    # The library's own urlsplit refuses several addresses of which one is IPv6.
    scheme, _, rest = url.partition("://")
    (netloc, path, query), *_ = re.findall(r"^([^/?#]*)([^?#]*)(?:\?([^#]*))?", rest)
    return SplitResult(scheme, netloc, path, query, "")


def _places(parts: SplitResult) -> list[SplitResult]:
    places = parts.netloc.rpartition("@")[2]
    return [urlsplit(f"//{place}") for place in (places.split(",") if _has_sentinels(parts) else [places])]


def _has_sentinels(parts: SplitResult) -> bool:
    return parts.scheme.endswith("+sentinel")


def _path(parts: SplitResult) -> tuple[str, int] | None:
    """Name of the primary and database; None where the path is neither."""
    form = _BEHIND_SENTINELS if _has_sentinels(parts) else _BEHIND_A_SERVER
    found = re.fullmatch(form, parts.path, re.ASCII)
    return (found["name"], int(found["number"] or 0)) if found else None


def _problems(parts: SplitResult) -> Iterator[str]:
    try:
        whole = all(
            is_address(place.hostname or "") and (place.port is None or place.port > 0)
            for place in _places(parts)
        )
    except ValueError:  # a port that is no number, an unfinished IPv6 address
        whole = False
    if not whole or parts.scheme not in _TLS or _path(parts) is None:
        yield _expected(parts)
        return
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        form = TLS_OPTIONS.get(key)
        if form is None:
            yield (
                f'expected no option "{key}" in the URL; behind its ? may stand {listed(TLS_OPTIONS)}. '
                "A password stands before the host, as in redis://:PASSWORD@host:6379/0, the database "
                "behind the last /, and how long is waited Longshore decides by itself"
            )
        elif not _TLS[parts.scheme]:
            tls = parts.scheme.replace("redis", "rediss")
            yield f'expected "{key}" in a URL with TLS only, which begins with {tls}://, found {parts.scheme}://'
        elif not form.fullmatch(value):
            choices = form.pattern.replace("|", ", ") if form is not _A_FILE else "a value"
            yield f'expected "{key}" to be {choices}, found something else'


def _expected(parts: SplitResult) -> str:
    if _has_sentinels(parts):
        return (
            "expected a URL such as redis+sentinel://host1:26379,host2:26379/NAME/0, or rediss+sentinel:// "
            "with TLS: the Sentinels, the name that they give the primary, and a database's number, "
            "found something else"
        )
    return (
        "expected a URL such as redis://host:6379/0, or rediss:// with TLS, and a database's number, "
        "found something else"
    )
