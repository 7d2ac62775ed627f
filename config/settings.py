"""Longshore's settings; the only reader of the environment for settings."""

from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MASK = "***"


class Settings(BaseSettings):
    """Settings, each from ``LONGSHORE_`` and its name in capitals.

    Attributes:
        redis_url: the broker.
        record_url: the record; by default database 1 of the broker's server.
        fleet: the fleet file when ``fleet.yaml`` isn't there.
        concurrency: hosts that one worker process drives at once.
        record_days: how long a record is kept after its run has ended.
        verification_hours: hosts not verified within this time are verified before a deployment.
        connection_idle: seconds that a connection to a host is kept for its next job.
        connections_kept: connections that one worker process keeps at most.
        connect_timeout: seconds for a TCP connection or a channel through a proxy.
        login_timeout: seconds for a banner, and for a login.
        command_timeout: seconds for a short command of Longshore's own, such as a verification's.
        lease_seconds: how long a worker that says nothing is believed to live.
        heartbeat_seconds: how often a worker renews its leases and looks for cancelled runs.
        sweep_seconds: how often runs that don't move are looked for.
        log_head_bytes: of each host's output, bytes kept from its beginning.
        log_tail_bytes: and from its end.
    """

    model_config = SettingsConfigDict(env_prefix="LONGSHORE_", frozen=True, extra="ignore")

    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    record_url: SecretStr | None = None
    fleet: str | None = None
    concurrency: int = Field(default=32, ge=1)
    record_days: int = Field(default=92, ge=1)
    verification_hours: float = Field(default=24.0, ge=0)
    connection_idle: float = Field(default=60.0, ge=0)
    connections_kept: int = Field(default=128, ge=0)
    connect_timeout: float = Field(default=10.0, gt=0)
    login_timeout: float = Field(default=15.0, gt=0)
    command_timeout: float = Field(default=30.0, gt=0)
    lease_seconds: float = Field(default=15.0, ge=1)
    heartbeat_seconds: float = Field(default=1.0, gt=0)
    sweep_seconds: float = Field(default=5.0, gt=0)
    log_head_bytes: int = Field(default=64 * 1024, ge=1024)
    log_tail_bytes: int = Field(default=64 * 1024, ge=1024)

    @property
    def record_address(self) -> str:
        """The record's address, with its password."""
        if self.record_url is not None:
            return self.record_url.get_secret_value()
        return urlunsplit(urlsplit(self.redis_url.get_secret_value())._replace(path="/1"))


def masked(url: str) -> str:
    """An address for people: its password is hidden."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{MASK}@{place}"))
