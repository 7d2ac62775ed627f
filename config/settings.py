"""Settings: what is true for this process, read from ``LONGSHORE_`` variables of its environment."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.errors import BadInputError
from config.problems import listed
from config.values import Seconds, Text, Words, is_address
from config.wording import expected

_PREFIX = "LONGSHORE_"
_MASK = "***"
_DAY = 86_400.0


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
"""What both libraries that read the URL, redis and kombu, take behind its ``?``, and in which form."""


class _RedisUrlError(ValueError):
    """What is wrong with a URL, in words that never show a value of it, which may be a password."""


def _redis_url(value: str) -> str:
    problem = next(_redis_url_problems(value), None)
    if problem is not None:
        raise _RedisUrlError(problem)
    return value


RedisUrl = Annotated[str, AfterValidator(_redis_url)]
Bytes = Annotated[int, Field(ge=0), Words(expected="a number of bytes")]


class Settings(BaseSettings):
    """What is true for this process.

    Attributes:
        redis_url: the broker.
        record_url: the record; by default database 1 of the broker's server.
        fleet: path of the fleet file, where none is named and there is no ``fleet.yaml``.
        flower_url: where people find Flower.
        record_ttl: seconds that a run's record is kept after its last change.
        verification_ttl: seconds for which a host that was verified counts as reachable; a deployment
            verifies the others first.
        connection_idle: seconds that an unused connection to a host is kept.
        connect_timeout: seconds until a TCP connection counts as timed out.
        login_timeout: seconds for banner, key exchange and login together.
        command_timeout: seconds for a short command of Longshore's own, such as looking for a tool.
        connections_kept: how many unused connections a worker process keeps.
        concurrency: how many hosts a worker process drives at once.
        reconnect_seconds: for how long a lost connection to a host at work is made again, before its end
            counts as unknown.
        cancel_grace: seconds between TERM and KILL when a run is cancelled.
        lease_seconds: for how long a worker may drive a host without a sign of life.
        heartbeat_seconds: seconds between two signs of life of a worker; it learns of cancelled runs by them.
        sweep_interval: seconds between two looks for runs that should be moving and are not.
        log_head_bytes: of each host's output, how much of its beginning is kept.
        log_tail_bytes: of each host's output, how much of its end is kept.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # a URL may hold a password
    )

    redis_url: RedisUrl = Field(default="redis://127.0.0.1:6379/0", repr=False)
    record_url: RedisUrl = Field(default="", repr=False)
    fleet: Text | None = None
    flower_url: Text = "http://127.0.0.1:5555"
    record_ttl: Seconds = 92 * _DAY
    verification_ttl: Seconds = _DAY
    connection_idle: Seconds = 60.0
    connect_timeout: Seconds = 10.0
    login_timeout: Seconds = 15.0
    command_timeout: Seconds = 30.0
    connections_kept: Annotated[int, Field(ge=0)] = 1024
    concurrency: Annotated[int, Field(ge=1)] = 32
    reconnect_seconds: Seconds = 120.0
    cancel_grace: Annotated[int, Field(ge=0)] = 10
    lease_seconds: Seconds = 15.0
    heartbeat_seconds: Seconds = 1.0
    sweep_interval: Seconds = 5.0
    log_head_bytes: Bytes = 64 * 1024
    log_tail_bytes: Bytes = 64 * 1024

    @model_validator(mode="before")
    @classmethod
    def _record_beside_broker(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("record_url"):
            broker = data.get("redis_url") or cls.model_fields["redis_url"].default
            if next(_redis_url_problems(str(broker)), None) is None:
                return {**data, "record_url": urlsplit(str(broker))._replace(path="/1").geturl()}
        return data

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if _server(self.redis_url) == _server(self.record_url):
            shown = masked_url(self.record_url)
            raise ValueError(
                f"expected the record in a database of its own, found {shown} for both; "
                f"set {_PREFIX}RECORD_URL to another database"
            )
        return self

    @property
    def masked_redis_url(self) -> str:
        """The broker's URL without its password."""
        return masked_url(self.redis_url)

    @property
    def masked_record_url(self) -> str:
        """The record's URL without its password."""
        return masked_url(self.record_url)

    def __repr_args__(self) -> Any:
        yield "redis_url", self.masked_redis_url
        yield "record_url", self.masked_record_url
        yield from super().__repr_args__()


def load_settings(**given: str) -> Settings:
    """The settings of this process.

    Args:
        given: what comes before the environment, by field.

    Raises:
        BadInputError: names every variable with a wrong value, and not the value, which may hold a secret.
    """
    try:
        return Settings(**given)  # type: ignore[arg-type] # validated like the environment's texts
    except ValidationError as error:
        # The record's empty default is made from the broker's URL; where that is wrong, it alone is named.
        details = [detail for detail in error.errors() if detail["input"] != ""]
        problems = [_problem(detail) for detail in details]
        raise BadInputError("\n".join(dict.fromkeys(problems))) from None


def masked_url(url: str) -> str:
    """A URL as it may be shown: every password in it replaced."""
    parts = urlsplit(url)
    credentials, at, address = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    query = [(key, _MASK if "pass" in key.lower() else value) for key, value in parse_qsl(parts.query)]
    return parts._replace(
        netloc=f"{user}{colon}{_MASK if colon else ''}{at}{address}", query=urlencode(query, safe="*")
    ).geturl()


def _problem(detail: ErrorDetails) -> str:
    name = str(detail["loc"][0]) if detail["loc"] else "redis_url"
    error = detail.get("ctx", {}).get("error")
    if not detail["loc"] or isinstance(error, _RedisUrlError):
        return f"{_PREFIX}{name.upper()}: {error}"
    field = Settings.__annotations__[name]
    return f"{_PREFIX}{name.upper()}: expected {expected(field)}, found something else"


def _redis_url_problems(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        whole = parts.port is None or parts.port > 0
    except ValueError:  # a port that is no number, an unfinished IPv6 address
        whole = False
    if (
        not whole
        or parts.scheme not in ("redis", "rediss")
        or not is_address(parts.hostname or "")
        or _database(url) is None
    ):
        yield (
            "expected a URL such as redis://host:6379/0, or rediss:// with TLS, and a database's number, "
            "found something else"
        )
        return
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        form = TLS_OPTIONS.get(key)
        if form is None:
            yield (
                f'expected no option "{key}" in the URL; behind its ? may stand {listed(TLS_OPTIONS)}. '
                "A password stands before the host, as in redis://:PASSWORD@host:6379/0, the database "
                "behind the last /, and how long is waited Longshore decides by itself"
            )
        elif parts.scheme == "redis":
            yield f'expected "{key}" in a URL with TLS only, which begins with rediss://, found redis://'
        elif not form.fullmatch(value):
            choices = form.pattern.replace("|", ", ") if form is not _A_FILE else "a value"
            yield f'expected "{key}" to be {choices}, found something else'


def _database(url: str) -> int | None:
    found = re.fullmatch(r"/*([0-9]{0,9})/*", urlsplit(url).path)
    return int(found[1] or 0) if found else None


def _server(url: str) -> tuple[str | None, int, int | None]:
    parts = urlsplit(url)
    return parts.hostname, parts.port or 6379, _database(url)
