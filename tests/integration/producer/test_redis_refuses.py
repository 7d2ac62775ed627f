"""A Redis that answers and refuses: each refusal says what happened, why, and what to try."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import redis

from config.errors import RedisUnreachableError
from config.settings import load_settings
from producer.servers import Servers
from tasks.record.trouble import trouble
from tests.support.site import Site
from workers.embedded_redis import EmbeddedRedis, free_port

pytestmark = pytest.mark.integration
PASSWORD = "hunter2-and-more"  # noqa: S105 - of a Redis of this test's own


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis with a password."""
    folder = tmp_path_factory.mktemp("locked")
    with EmbeddedRedis(folder, port=free_port(), password=PASSWORD) as server:
        yield server


@pytest.fixture
def admin(site: Site) -> redis.Redis:
    return site.record


@contextmanager
def _user(admin: redis.Redis, *rights: str) -> Iterator[None]:
    admin.acl_setuser("ops", enabled=True, passwords=[f"+{PASSWORD}"], commands=list(rights), reset=True)
    yield
    admin.acl_deluser("ops")


def _refusal(broker: str, record: str) -> str:
    with closing(Servers(load_settings(redis_url=broker, record_url=record))) as servers:
        with pytest.raises(RedisUnreachableError) as caught:
            servers.check()
        with pytest.raises(RedisUnreachableError), servers.reading_record():
            servers.record.ping()
    assert caught.value.exit_code == 4
    assert PASSWORD not in str(caught.value)
    assert "isn't running" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("login", "happened", "attempt"),
    [
        ("", "wants a password and was given none", "redis://:PASSWORD@HOST:PORT/0"),
        (f":x{PASSWORD}@", "refuses the login", "Correct it in LONGSHORE_REDIS_URL"),
        (f"nobody:{PASSWORD}@", "refuses the login", "Correct it in LONGSHORE_REDIS_URL"),
    ],
    ids=["no password", "a wrong password", "no such user"],
)
def test_a_login_that_fails_is_told_as_one(
    site: Site,
    locked: EmbeddedRedis,
    login: str,
    happened: str,
    attempt: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    urls = [f"redis://{login}127.0.0.1:{locked.port}/{database}" for database in (0, 1)]
    said = _refusal(*urls)
    assert happened in said
    assert "Likely" in said
    assert attempt in said
    monkeypatch.setitem(site.environment, "LONGSHORE_REDIS_URL", urls[0])
    monkeypatch.setitem(site.environment, "LONGSHORE_RECORD_URL", urls[1])
    for words in (("verify", "web"), ("runs",)):
        done = site.longshore(*words)
        assert (done.returncode, done.stdout, done.stderr) == (4, "", f"Error: {said}\n")


def test_a_broker_whose_login_fails_is_told_as_one_too(locked: EmbeddedRedis) -> None:
    record = locked.url(1)
    settings = load_settings(redis_url=f"redis://:x{PASSWORD}@127.0.0.1:{locked.port}/0", record_url=record)
    with closing(Servers(settings)) as servers:
        servers._met.add(servers.broker)  # noqa: SLF001 - as if it had answered, and its password changed since
        with pytest.raises(RedisUnreachableError, match="refuses the login") as caught:
            servers.send_gate("r", title="t", pools=["official"])
    assert PASSWORD not in str(caught.value)


def test_a_password_that_a_redis_does_not_have_is_told(site: Site) -> None:
    urls = [f"redis://:{PASSWORD}@127.0.0.1:{site.redis.port}/{database}" for database in (0, 1)]
    assert "has no password and was given one" in _refusal(*urls)


def test_tls_with_a_port_that_speaks_none_is_told(site: Site) -> None:
    urls = [f"rediss://127.0.0.1:{site.redis.port}/{database}" for database in (0, 1)]
    said = _refusal(*urls)
    assert "doesn't answer in time" in said
    assert "rediss:// is with TLS" in said


def test_a_certificate_that_is_not_trusted_is_told_and_a_hosts_name_is_not_taken_for_it() -> None:
    refused = redis.ConnectionError(
        "Error 1 connecting to ssl.example:6379. [SSL: CERTIFICATE_VERIFY_FAILED]."
    )
    assert "can't be reached over TLS" in trouble("rediss://ssl.example", refused)
    refused = redis.ConnectionError("Error 111 connecting to ssl.example:6379. Connection refused.")
    assert "Likely it isn't running" in trouble("redis://ssl.example", refused)


def test_a_database_that_is_not_there_is_told(site: Site) -> None:
    said = _refusal(site.redis.url(0), site.redis.url(99))
    assert "has no database of this number: DB index is out of range" in said
    assert "Choose a lower one" in said


def test_a_user_with_too_few_rights_is_told(site: Site, admin: redis.Redis) -> None:
    with _user(admin, "+select"):
        urls = [f"redis://ops:{PASSWORD}@127.0.0.1:{site.redis.port}/{database}" for database in (0, 1)]
        said = _refusal(*urls)
    assert "doesn't let it do this" in said
    assert "ACL SETUSER" in said


@pytest.mark.parametrize(
    ("make", "mend", "happened"),
    [
        (("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE"), "can't be written to"),
        (("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory", 0), "has no memory left"),
        (("SADD", "counter", "x"), ("DEL", "counter"), "answers and refuses"),
    ],
    ids=["a replica", "no memory", "anything else"],
)
def test_what_a_write_meets_with_is_told(
    site: Site, admin: redis.Redis, make: tuple[str], mend: tuple[str], happened: str
) -> None:
    settings = load_settings(redis_url=site.redis.url(0), record_url=site.redis.url(1))
    admin.execute_command(*make)
    try:
        with (
            closing(Servers(settings)) as servers,
            pytest.raises(RedisUnreachableError, match=happened) as caught,
            servers.reading_record(),
        ):
            servers.record.incr("counter")
    finally:
        admin.execute_command(*mend)
    assert "Likely" in str(caught.value)
    assert caught.value.exit_code == 4
