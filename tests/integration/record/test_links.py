"""A Redis that writes nothing for the moment counts as one that is away."""

from collections.abc import Iterator

import pytest
import redis
from redis.sentinel import MasterNotFoundError

from tasks.record.connection import connect
from tasks.record.links import Link, NotNowError, Sentinels
from workers.embedded_redis import EmbeddedRedis, free_port

pytestmark = pytest.mark.integration
SCRIPT = "return redis.call('SET', 'a', '1')"


@pytest.fixture
def client(server: EmbeddedRedis) -> Iterator[redis.Redis]:
    with connect(server.url(1)) as connected:
        connected.set("a", "0")
        yield connected


@pytest.mark.parametrize(
    ("make", "mend"),
    [
        (("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE")),
        (("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory", 0)),
        (("CONFIG", "SET", "min-replicas-to-write", 1), ("CONFIG", "SET", "min-replicas-to-write", 0)),
    ],
    ids=["a replica", "full", "too few replicas"],
)
def test_a_write_that_is_refused_for_now_is_an_outage(
    client: redis.Redis, make: tuple[str], mend: tuple[str]
) -> None:
    client.execute_command(*make)
    try:
        with pytest.raises(NotNowError) as caught:
            client.set("a", "1")
        assert isinstance(caught.value.__cause__, redis.ResponseError)
        with pytest.raises(redis.ConnectionError):
            client.eval(SCRIPT, 0)
        for transaction in (True, False):
            with client.pipeline(transaction=transaction) as pipeline, pytest.raises(redis.ConnectionError):
                pipeline.set("a", "1").get("a").execute()
        assert client.get("a") == b"0"
    finally:
        client.execute_command(*mend)
    assert client.set("a", "1")


def test_any_other_refusal_is_none(client: redis.Redis) -> None:
    with pytest.raises(redis.ResponseError, match="wrong kind of value") as caught:
        client.sadd("a", "x")
    assert not isinstance(caught.value, redis.ConnectionError)


@pytest.mark.parametrize(
    "said",
    [
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
        "Error running script (call to f_49): -READONLY You can't write against a read only replica.",
    ],
)
def test_each_kind_of_not_now_is_known_by_its_words(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise redis.ResponseError(said)

    monkeypatch.setattr(redis.Connection, "read_response", refuse)
    with pytest.raises(NotNowError, match="|".join((said[:5], "Link"))):
        Link().read_response()


def test_sentinels_that_are_not_there_are_asked_one_after_the_other() -> None:
    ports = (free_port(), free_port())
    sentinels = Sentinels([("127.0.0.1", port) for port in ports], sentinel_kwargs={"retry": None})
    with pytest.raises(MasterNotFoundError, match=rf"no Sentinel answers: .*{ports[0]}.*; .*{ports[1]}"):
        sentinels.discover_master("orders")
