from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tasks.record.connection import connect
from tasks.record.reading import RecordReader
from tasks.record.steering import Steering
from tasks.record.store import RecordWriter
from workers.embedded_redis import EmbeddedRedis


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(Path(tmp_path_factory.mktemp("redis"))) as started:
        yield started


@pytest.fixture
def redis_client(server: EmbeddedRedis) -> Iterator[Redis]:
    client = connect(server.url(1))
    client.flushdb()
    yield client
    client.close()


@pytest.fixture
def writer(redis_client: Redis) -> RecordWriter:
    return RecordWriter(redis_client)


@pytest.fixture
def steering(redis_client: Redis) -> Steering:
    return Steering(redis_client, release_ttl_seconds=86_400)


@pytest.fixture
def reader(redis_client: Redis) -> RecordReader:
    return RecordReader(redis_client)
