"""Settings from the environment, and what Celery is told."""

import json

import pytest
from celery.app.defaults import NAMESPACES, flatten
from kombu import Connection as KombuConnection
from kombu.transport.redis import Channel, SentinelChannel
from kombu.transport.redis import Transport as RedisTransport
from redis import SSLConnection
from redis.sentinel import SentinelConnectionPool

from config.celery_settings import celery_settings, queue_name
from config.errors import BadInputError
from config.redis_urls import TLS_OPTIONS, masked_url, redis_address
from config.settings import Settings, load_settings
from tasks.record.connection import connect


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LONGSHORE_{name.upper()}", raising=False)


def test_defaults_are_those_of_the_design() -> None:
    settings = load_settings()
    assert (settings.redis_url, settings.record_url) == (
        "redis://127.0.0.1:6379/0",
        "redis://127.0.0.1:6379/1",
    )
    assert settings.record_ttl == 92 * 24 * 3600
    assert settings.verification_ttl == 24 * 3600
    assert settings.log_head_bytes == settings.log_tail_bytes == 65536


def test_the_record_is_beside_the_broker_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_REDIS_URL", "rediss://u:p@redis.example:6380/3?ssl_cert_reqs=required")
    assert load_settings().record_url == "rediss://u:p@redis.example:6380/1?ssl_cert_reqs=required"
    monkeypatch.setenv("LONGSHORE_RECORD_URL", "redis://record.example/0")
    assert load_settings().record_url == "redis://record.example/0"


def test_durations_have_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_RECORD_TTL", "5d")
    monkeypatch.setenv("LONGSHORE_SWEEP_INTERVAL", "500ms")
    settings = load_settings()
    assert (settings.record_ttl, settings.sweep_interval) == (432_000, 0.5)


def test_all_wrong_variables_are_named_and_none_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_REDIS_URL", "amqp://u:hunter2@h/1")
    monkeypatch.setenv("LONGSHORE_LEASE_SECONDS", "hunter2")
    with pytest.raises(BadInputError) as caught:
        load_settings()
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["LONGSHORE_REDIS_URL", "LONGSHORE_LEASE_SECONDS"]
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("redis://:hunter2@h/0?foo=hunter2", 'expected no option "foo"'),
        ("redis://:hunter2@h/0?foo", 'expected no option "foo"'),
        ("redis://:hunter2@h/0?socket_timeout=abc", 'expected no option "socket_timeout"'),
        ("redis://h/0?password=hunter2", "A password stands before the host"),
        ("redis://h/0?db=1", "the database behind the last /"),
        ("redis://h/0?ssl_cert_reqs=none", 'expected "ssl_cert_reqs" in a URL with TLS only'),
        ("rediss://h/0?ssl_cert_reqs=hunter2", 'expected "ssl_cert_reqs" to be none, optional, required'),
    ],
)
@pytest.mark.parametrize("variable", ["LONGSHORE_REDIS_URL", "LONGSHORE_RECORD_URL"])
def test_an_option_that_a_client_of_redis_does_not_take_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, query: str, said: str
) -> None:
    monkeypatch.setenv(variable, query)
    with pytest.raises(BadInputError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{variable}: ")
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_option_that_is_taken_reaches_both_clients_of_redis() -> None:
    options = "&".join(f"{name}={'required' if name == 'ssl_cert_reqs' else 'true'}" for name in TLS_OPTIONS)
    url = load_settings(redis_url=f"rediss://h/0?{options}").redis_url
    with connect(url) as record, KombuConnection(url) as broker:
        assert set(record.connection_pool.connection_kwargs) >= set(TLS_OPTIONS)
        assert set(broker.ssl) == set(TLS_OPTIONS)
        record.connection_pool.make_connection()


SENTINELS = "redis+sentinel://u:hunter2%2F@s1.example:26380,[::1],s3.example/orders/0"


def test_sentinels_are_an_address_like_any_other() -> None:
    settings = load_settings(redis_url=SENTINELS)
    assert settings.record_url == SENTINELS.removesuffix("0") + "1"
    assert settings.masked_record_url == SENTINELS.removesuffix("0").replace("hunter2%2F", "***") + "1"
    address = redis_address(settings.redis_url)
    assert address.servers == (("s1.example", 26380), ("::1", 26379), ("s3.example", 26379))
    assert (address.primary, address.database, address.user, address.password) == (
        "orders",
        0,
        "u",
        "hunter2/",
    )
    assert "hunter2" not in repr(settings) + repr(address)


def test_the_database_behind_sentinels_may_be_left_out() -> None:
    settings = load_settings(redis_url="redis+sentinel://s1/orders")
    assert redis_address(settings.redis_url).database == 0
    assert settings.record_url == "redis+sentinel://s1/orders/1"


@pytest.mark.parametrize(
    "record", ["redis+sentinel://s3.example,s9/orders/0", "redis+sentinel://s1.example:26380/orders"]
)
def test_one_database_behind_sentinels_for_both_is_refused(record: str) -> None:
    with pytest.raises(BadInputError, match="LONGSHORE_RECORD_URL to another database"):
        load_settings(redis_url=SENTINELS, record_url=record)
    for other in (record.replace("orders", "records"), record.replace("example", "test")):
        load_settings(redis_url=SENTINELS, record_url=other)


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://s1",
        "redis+sentinel://s1/",
        "redis+sentinel:///orders/0",
        "redis+sentinel://s1,/orders/0",
        "redis+sentinel://s1,s2:0/orders/0",
        "redis+sentinel://s1/orders/zero",
        "redis+sentinel://s1/my orders/0",
        "sentinel://s1/orders/0",
        "redis://s1,s2/0",
    ],
)
def test_what_names_no_sentinels_or_no_primary_is_refused(url: str) -> None:
    with pytest.raises(BadInputError, match="LONGSHORE_REDIS_URL: expected a URL such as redis") as caught:
        load_settings(redis_url=url)
    assert ("/NAME/0" in str(caught.value)) == ("+" in url)


def test_celery_gets_each_sentinel_and_the_primarys_name() -> None:
    told = celery_settings(Settings(redis_url=SENTINELS))
    login = "sentinel://u:hunter2%2F@"
    assert told["broker_url"] == (f"{login}s1.example:26380/0;{login}[::1]:26379/0;{login}s3.example:26379/0")
    options = told["broker_transport_options"]
    assert options["master_name"] == "orders"
    assert set(options) <= set(SentinelChannel.from_transport_options)
    assert set(told) <= {key for key, _ in flatten(NAMESPACES)}
    assert not told["broker_use_ssl"]
    assert json.loads(json.dumps(options)) == options  # workers tell them to whoever asks, Flower say
    with KombuConnection(told["broker_url"]) as broker:
        assert "hunter2" not in broker.as_uri()


def test_tls_reaches_the_sentinels_and_the_primary() -> None:
    options = "ssl_ca_certs=/ca.pem&ssl_check_hostname=false"
    settings = load_settings(redis_url=f"rediss+sentinel://s1,s2/orders/0?{options}")
    told = celery_settings(settings)
    tls = {"ssl_cert_reqs": "required", "ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False}
    assert told["broker_use_ssl"] == tls
    assert told["broker_transport_options"]["sentinel_kwargs"].items() >= {"ssl": True, **tls}.items()
    with connect(settings.record_url) as record:
        pool = record.connection_pool
        assert isinstance(pool, SentinelConnectionPool)
        assert pool.connection_kwargs["ssl_ca_certs"] == "/ca.pem"
        assert issubclass(pool.connection_class, SSLConnection)
        for sentinel in pool.sentinel_manager.sentinels:
            made = sentinel.connection_pool.make_connection()
            assert isinstance(made, SSLConnection)
            assert (made.ca_certs, made.check_hostname) == ("/ca.pem", False)


def test_tls_options_without_tls_are_refused_behind_sentinels_too() -> None:
    with pytest.raises(BadInputError, match=r"begins with rediss\+sentinel://, found redis\+sentinel://"):
        load_settings(redis_url="redis+sentinel://s1/orders/0?ssl_cert_reqs=none")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:6379",
        "redis://",
        "redis://h:x/0",
        "redis://h/zero",
        "redis://[::1/0",
        "unix:///x",
        pytest.param(f"redis://{'a' * 64}/0", id="label too long"),
        pytest.param(f"redis://h/{'9' * 5000}", id="digits"),
    ],
)
def test_what_is_no_redis_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="redis_url"):
        Settings(redis_url=url)


def test_one_database_for_broker_and_record_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_REDIS_URL", "redis://:hunter2@h/1")
    with pytest.raises(BadInputError, match="LONGSHORE_RECORD_URL to another database") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_no_password_is_shown() -> None:
    settings = Settings(
        redis_url="rediss://u:hunter2@h:1/0?ssl_password=hunter2", record_url="redis://:hunter2@h:1/2"
    )
    assert settings.masked_redis_url == "rediss://u:***@h:1/0?ssl_password=***"
    assert settings.masked_record_url == "redis://:***@h:1/2"
    assert "hunter2" not in repr(settings) + str(settings)
    assert masked_url("redis://h:1/0") == "redis://h:1/0"


def test_every_setting_is_one_that_celery_knows() -> None:
    known = {key for key, _ in flatten(NAMESPACES)}
    settings = celery_settings(Settings())
    assert set(settings) <= known
    assert set(settings["broker_transport_options"]) <= set(Channel.from_transport_options)
    assert RedisTransport.Channel is Channel


def test_celery_holds_and_keeps_nothing() -> None:
    settings = celery_settings(Settings(redis_url="redis://h/5"))
    assert settings["broker_url"] == "redis://h/5"
    assert settings["worker_pool"] == "workers.threads:HostThreads"
    assert settings["worker_disable_prefetch"] is True
    assert settings["task_acks_late"] is False
    assert settings["task_ignore_result"] is True
    assert settings["accept_content"] == ["json"]


def test_a_pool_has_one_queue() -> None:
    assert queue_name("frankfurt") == "longshore.frankfurt"
