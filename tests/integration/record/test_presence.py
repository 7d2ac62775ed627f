import pytest
from redis import Redis

from tasks.record import keys
from tasks.record.presence import FORGOTTEN_SECONDS, Presence
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter
from tests.support.plans import verification

pytestmark = pytest.mark.integration


def test_a_worker_that_died_long_ago_is_forgotten_and_the_living_are_not(redis_client: Redis) -> None:
    presence = Presence(redis_client)
    presence.announce(name="dead", pool="official", version="1", slots=1, busy=0)
    (before,) = presence.live()
    old = before.model_copy(update={"seen": before.seen - FORGOTTEN_SECONDS - 1})
    redis_client.hset(keys.WORKERS, "official dead", old.model_dump_json())
    presence.announce(name="alive", pool="official", version="1", slots=1, busy=0)

    presence.forget_dead()

    assert redis_client.hkeys(keys.WORKERS) == [b"official alive"]


def test_runs_whose_records_are_long_gone_leave_the_list(redis_client: Redis, reader: RecordReader) -> None:
    writer = RecordWriter(redis_client, ttl_seconds=60)
    writer.create("old", verification("web-1"), operator="ana", marker="m")
    writer.create("new", verification("web-1"), operator="ana", marker="m")
    redis_client.zincrby(keys.RUNS, -121_000, "old")

    writer.forget_expired()

    assert [run.id for run in reader.recent()] == ["new"]
