"""Settings: what is true for this process, read from ``LONGSHORE_`` variables of its environment."""

from contextlib import suppress
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.errors import BadInputError
from config.redis_urls import RedisUrlError, masked_url, redis_address, with_database
from config.values import Seconds, Text, Words
from config.wording import expected

_PREFIX = "LONGSHORE_"
_DAY = 86_400.0


def _redis_url(value: str) -> str:
    redis_address(value)
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
        release_ttl: seconds that what a host was brought well is kept, to be brought there again.
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
        route_wait: for how long a host waits whose proxy is down before it counts as unreachable.
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
    release_ttl: Seconds = 365 * _DAY
    verification_ttl: Seconds = _DAY
    connection_idle: Seconds = 60.0
    connect_timeout: Seconds = 10.0
    login_timeout: Seconds = 15.0
    command_timeout: Seconds = 30.0
    connections_kept: Annotated[int, Field(ge=0)] = 1024
    concurrency: Annotated[int, Field(ge=1)] = 32
    reconnect_seconds: Seconds = 120.0
    route_wait: Seconds = 120.0
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
            with suppress(RedisUrlError):  # the broker's own problem, and told as that
                return {**data, "record_url": with_database(str(broker), 1)}
        return data

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if redis_address(self.redis_url).is_database_of(redis_address(self.record_url)):
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


def _problem(detail: ErrorDetails) -> str:
    name = str(detail["loc"][0]) if detail["loc"] else "redis_url"
    error = detail.get("ctx", {}).get("error")
    if not detail["loc"] or isinstance(error, RedisUrlError):
        return f"{_PREFIX}{name.upper()}: {error}"
    field = Settings.__annotations__[name]
    return f"{_PREFIX}{name.upper()}: expected {expected(field)}, found something else"
