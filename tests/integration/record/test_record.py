from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from redis import Redis

from config.causes import Cause
from tasks.outcomes import HostResult, Outcome, RunState
from tasks.record import keys
from tasks.record.claims import Claim, NotClaimed
from tasks.record.reading import RecordReader
from tasks.record.store import Freed, LogPart, RecordWriter
from tests.support.plans import deployment, target, verification

pytestmark = pytest.mark.integration

OK = HostResult(outcome=Outcome.OK)
FAILED = HostResult(outcome=Outcome.FAILED, cause=Cause.STEP_FAILED, message="step 1 ended with 3")


def _begun(writer: RecordWriter, *batches: tuple[str, ...], run_id: str = "r1") -> None:
    writer.create(run_id, deployment(*batches), operator="ana", marker="m")
    assert writer.begin_batch(run_id, seen=-1, batch=0, reason="first", hosts=batches[0])


def _claim(writer: RecordWriter, host: str, *, worker: str = "w1", run_id: str = "r1") -> Claim:
    claim = writer.claim(run_id, "deployment", host, worker=worker, lease_seconds=30)
    assert isinstance(claim, Claim)
    return claim


def _finish(writer: RecordWriter, claim: Claim, result: HostResult = OK) -> int | None:
    freed = writer.finish(claim, result, log=LogPart(), pins={})
    return freed and freed.left


def test_a_run_written_twice_is_there_once(writer: RecordWriter, reader: RecordReader) -> None:
    for operator in ("ana", "ben"):
        writer.create("r1", deployment(("web-1",)), operator=operator, marker="m")

    view = reader.run("r1")

    assert view is not None
    assert (view.operator, view.state, view.title) == ("ana", RunState.QUEUED, "shop 1.4")
    assert [event.kind for event in reader.events("r1")] == ["created"]


def test_of_many_gates_at_once_one_begins_the_batch(writer: RecordWriter) -> None:
    writer.create("r1", deployment(("web-1", "web-2")), operator="ana", marker="m")
    barrier = Barrier(8)

    def begin(_: int) -> bool:
        barrier.wait()
        return writer.begin_batch("r1", seen=-1, batch=0, reason="", hosts=("web-1", "web-2"))

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(begin, range(8))) == [False] * 7 + [True]


def test_of_many_workers_at_once_one_has_the_host(writer: RecordWriter) -> None:
    _begun(writer, ("web-1",))
    barrier = Barrier(8)

    def claim(number: int) -> bool:
        barrier.wait()
        got = writer.claim("r1", "deployment", "web-1", worker=f"w{number}", lease_seconds=30)
        return isinstance(got, Claim)

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(claim, range(8))) == 1


def test_a_worker_whose_lease_ran_out_is_followed_by_one_with_a_larger_token(
    writer: RecordWriter, redis_client: Redis
) -> None:
    _begun(writer, ("web-1",))
    first = _claim(writer, "web-1")
    lease = keys.lease("r1", "deployment", target("web-1"))

    redis_client.hset(lease, "until", "0")
    second = _claim(writer, "web-1", worker="w2")

    assert (second.token.epoch, second.token.number) > (first.token.epoch, first.token.number)
    assert second.claims == 1
    assert writer.renew([first, second], lease_seconds=30) == ["lost", "held"]
    assert not writer.report(first, steps="", log=LogPart(head=b"stale"))
    assert _finish(writer, first, FAILED) is None
    assert _finish(writer, second) == 0


def test_what_a_stale_worker_writes_is_not_there(writer: RecordWriter, reader: RecordReader) -> None:
    _begun(writer, ("web-1",))
    claim = _claim(writer, "web-1")
    _finish(writer, claim)

    assert not writer.report(claim, steps="[]", log=LogPart(head=b"late"))
    assert reader.log("r1", "web-1").head == b""


def test_another_run_waits_for_the_host_even_past_the_lease(
    writer: RecordWriter, redis_client: Redis
) -> None:
    _begun(writer, ("web-1",))
    _begun(writer, ("web-1",), run_id="r2")
    _claim(writer, "web-1")
    redis_client.hset(keys.lease("r1", "deployment", target("web-1")), "until", "0")

    other = writer.claim("r2", "deployment", "web-1", worker="w2", lease_seconds=30)

    assert other == NotClaimed(reason="busy", detail="r1 web-1")


def test_who_waits_longest_is_next(writer: RecordWriter) -> None:
    for run_id in ("r1", "r2", "r3"):
        _begun(writer, ("web-1",), run_id=run_id)
    claim = _claim(writer, "web-1")
    for run_id in ("r3", "r2", "r3"):
        writer.claim(run_id, "deployment", "web-1", worker="w2", lease_seconds=30)

    first = writer.finish(claim, OK, log=LogPart(), pins={})
    second = writer.finish(_claim(writer, "web-1", run_id="r3"), OK, log=LogPart(), pins={})
    third = writer.finish(_claim(writer, "web-1", run_id="r2"), OK, log=LogPart(), pins={})

    assert first == Freed(left=0, waiting_run="r3", waiting_host="web-1")
    assert second == Freed(left=0, waiting_run="r2", waiting_host="web-1")
    assert third == Freed(left=0)


def test_a_verification_waits_for_nobody(writer: RecordWriter) -> None:
    _begun(writer, ("web-1",))
    _claim(writer, "web-1")
    writer.create("v1", verification("web-1"), operator="ana", marker="m")
    writer.begin_batch("v1", seen=-1, batch=0, reason="", hosts=("web-1",))

    assert isinstance(writer.claim("v1", "verification", "web-1", worker="w2", lease_seconds=30), Claim)


def test_a_batch_ends_with_its_last_host_however_many_end_at_once(writer: RecordWriter) -> None:
    hosts = tuple(f"web-{number}" for number in range(1, 17))
    _begun(writer, hosts)
    claims = [_claim(writer, host) for host in hosts]

    with ThreadPoolExecutor(8) as threads:
        left = list(threads.map(lambda claim: _finish(writer, claim), claims))

    assert sorted(left) == list(range(16))


def test_an_outcome_is_counted_once(writer: RecordWriter, reader: RecordReader) -> None:
    _begun(writer, ("web-1", "web-2"))
    claim = _claim(writer, "web-1")

    assert [_finish(writer, claim, FAILED), _finish(writer, claim, FAILED)] == [1, None]
    assert reader.outcomes("r1") == {Outcome.FAILED: 1}


def test_cancelling_lets_go_of_hosts_that_no_worker_has(writer: RecordWriter, reader: RecordReader) -> None:
    _begun(writer, ("web-1", "web-2"), ("web-3",))
    claim = _claim(writer, "web-1")

    assert writer.cancel("r1", operator="ana") == ("asked", "1")
    assert writer.renew([claim], lease_seconds=30) == ["cancel"]
    assert isinstance(writer.claim("r1", "deployment", "web-2", worker="w", lease_seconds=30), NotClaimed)
    assert _finish(writer, claim, HostResult(outcome=Outcome.CANCELLED, cause=Cause.CANCELLED)) == 0
    assert not writer.begin_batch("r1", seen=0, batch=1, reason="", hosts=("web-3",))
    assert writer.end_run("r1", seen=0, state=RunState.CANCELLED, reason="cancelled by ana")

    view = reader.run("r1")

    assert view is not None
    outcomes = [host.outcome for batch in view.batches for host in batch.hosts]
    assert outcomes == [Outcome.CANCELLED, Outcome.NOT_STARTED, Outcome.NOT_STARTED]


def test_a_run_ends_once_and_all_of_its_keys_expire(
    writer: RecordWriter, reader: RecordReader, redis_client: Redis
) -> None:
    _begun(writer, ("web-1",))
    writer.finish(_claim(writer, "web-1"), OK, log=LogPart(head=b"a", tail=b"z", cut=7), pins={})

    ended = [writer.end_run("r1", seen=0, state=RunState.SUCCEEDED, reason="") for _ in range(2)]

    assert ended == [True, False]
    assert reader.active() == []
    left = [key for key in redis_client.keys("run:r1*") if redis_client.ttl(key) < 0]
    assert left == []


def test_the_log_keeps_head_and_tail_and_says_what_was_cut(
    writer: RecordWriter, reader: RecordReader
) -> None:
    _begun(writer, ("web-1",))
    claim = _claim(writer, "web-1")

    writer.report(claim, steps="", log=LogPart(head=b"first "))
    writer.report(claim, steps="", log=LogPart(head=b"second", tail=b"x", cut=10))
    writer.finish(claim, OK, log=LogPart(tail=b"last\xff", cut=90), pins={})

    log = reader.log("r1", "web-1")
    assert (log.head, log.cut, log.tail) == (b"first second", 90, b"last\xff")


def test_only_a_verification_that_ended_ok_counts_as_verified(writer: RecordWriter) -> None:
    targets = {name: target(name) for name in ("web-1", "web-2", "web-3")}
    writer.create("v1", verification(*targets), operator="ana", marker="m")
    writer.begin_batch("v1", seen=-1, batch=0, reason="", hosts=tuple(targets))
    for host, result in (("web-1", OK), ("web-2", FAILED)):
        claim = writer.claim("v1", "verification", host, worker="w", lease_seconds=30)
        assert isinstance(claim, Claim)
        writer.finish(claim, result, log=LogPart(), pins={keys.identity(claim.target): f"key of {host}"})

    assert writer.unverified(targets, within_seconds=60) == ["web-2", "web-3"]
    assert writer.unverified(targets, within_seconds=-1) == ["web-1", "web-2", "web-3"]
    assert writer.pins([keys.identity(target("web-1"))]) == {
        "official/127.0.0.2:22": "key of web-1",
    }


def test_a_pinned_key_is_not_replaced(writer: RecordWriter) -> None:
    writer.create("v1", verification("web-1", "web-2"), operator="ana", marker="m")
    writer.begin_batch("v1", seen=-1, batch=0, reason="", hosts=("web-1", "web-2"))
    for host in ("web-1", "web-2"):
        claim = writer.claim("v1", "verification", host, worker="w", lease_seconds=30)
        assert isinstance(claim, Claim)
        writer.finish(claim, OK, log=LogPart(), pins={"official/127.0.0.9:22": f"seen by {host}"})

    assert writer.pins(["official/127.0.0.9:22"]) == {"official/127.0.0.9:22": "seen by web-1"}
