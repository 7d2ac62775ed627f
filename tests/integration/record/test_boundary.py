"""A host's job ends in a value, and its host is free, whatever goes wrong with it."""

import pytest
from redis import Redis

from config.causes import Cause
from config.settings import load_settings
from tasks.holdings import Held
from tasks.jobs import HostJob, Jobs
from tasks.outcomes import Outcome
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter
from tasks.runtime import Runtime
from tests.support.plans import deployment
from workers.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(("inherited", "outcome"), [(False, Outcome.FAILED), (True, Outcome.INDETERMINATE)])
def test_a_job_that_can_not_even_be_made_ends_its_host(
    server: EmbeddedRedis,
    redis_client: Redis,
    writer: RecordWriter,
    reader: RecordReader,
    monkeypatch: pytest.MonkeyPatch,
    *,
    inherited: bool,
    outcome: Outcome,
) -> None:
    writer.create("r1", deployment(("web-1", "web-2")), operator="ana", marker="m")
    writer.begin_batch("r1", seen=-1, batch=0, reason="", hosts=("web-1", "web-2"))
    if inherited:
        writer.claim("r1", "deployment", "web-1", worker="lost", lease_seconds=0.001)
    runtime = Runtime(load_settings(redis_url=server.url(0), record_url=server.url(1)))

    def broken(_jobs: Jobs, _held: Held) -> HostJob:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(Jobs, "job", broken)
    result = runtime.carry_out("r1", "deployment", "web-1")

    assert result is not None
    assert (result.outcome, result.cause) == (outcome, Cause.INTERNAL)
    assert reader.statuses("r1") == {"web-1": f"done {outcome}", "web-2": "sent"}
    assert not list(redis_client.keys("lease:*"))
