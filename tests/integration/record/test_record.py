import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from redis import Redis

from config.causes import Cause
from tasks.outcomes import HostResult, Outcome, RunState
from tasks.record import keys
from tasks.record.answers import Busy, Decision, Freed, LogPart, Made, NotSteered, Paused, Resolved
from tasks.record.claims import Claim, NotClaimed
from tasks.record.reading import RecordReader
from tasks.record.steering import Steering
from tasks.record.store import RecordWriter
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


def _stale(claim: Claim) -> Claim:
    return replace(claim, token=replace(claim.token, number=claim.token.number - 1))


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


def test_a_machine_goes_to_deployments_in_the_order_of_their_making(writer: RecordWriter) -> None:
    for run_id in ("r1", "r2", "r3"):
        writer.create(run_id, deployment(("web-1",)), operator="ana", marker="m")
    for run_id in ("r3", "r2", "r1"):
        assert writer.begin_batch(run_id, seen=-1, batch=0, reason="", hosts=("web-1",))
    tried = [writer.claim(run, "deployment", "web-1", worker="w2", lease_seconds=30) for run in ("r3", "r2")]
    assert tried == [NotClaimed(reason="busy", detail="r1 web-1")] * 2

    freed = [
        writer.finish(_claim(writer, "web-1", run_id=run_id), OK, log=LogPart(), pins={})
        for run_id in ("r1", "r2", "r3")
    ]

    assert freed == [
        Freed(left=0, waiting_run="r2", waiting_host="web-1"),
        Freed(left=0, waiting_run="r3", waiting_host="web-1"),
        Freed(left=0),
    ]


def test_a_deployment_that_ended_holds_nobody_up(writer: RecordWriter, steering: Steering) -> None:
    writer.create("r1", deployment(("web-1",)), operator="ana", marker="m")
    _begun(writer, ("web-1",), run_id="r2")
    steering.cancel("r1", operator="ana")
    assert writer.claim("r2", "deployment", "web-1", worker="w", lease_seconds=30) == NotClaimed(
        reason="busy", detail="r1 web-1"
    )
    assert writer.end_run("r1", seen=-1, state=RunState.CANCELLED, reason="cancelled")

    _claim(writer, "web-1", run_id="r2")


def test_a_deployment_that_is_not_to_wait_is_not_even_written(
    writer: RecordWriter, reader: RecordReader
) -> None:
    writer.create("r1", deployment(("web-1", "web-2")), operator="ana", marker="m")

    made = writer.create("r2", deployment(("web-2", "web-3")), operator="ana", marker="m", if_busy="fail")

    assert made == Busy(run_id="r1", host="web-2")
    assert reader.run("r2") is None
    free = writer.create("r3", deployment(("web-3",)), operator="ana", marker="m", if_busy="fail")
    assert free == Made()


def test_the_newest_takes_the_place_of_what_only_waits(writer: RecordWriter, reader: RecordReader) -> None:
    _begun(writer, ("web-1", "web-2"))
    claim = _claim(writer, "web-1")
    _begun(writer, ("web-2",), run_id="r2")
    writer.create("r3", deployment(("web-2",)), operator="ana", marker="m")

    made = writer.create("r4", deployment(("web-2",)), operator="ben", marker="m", if_busy="supersede")

    assert isinstance(made, Made)
    assert sorted(made.superseded) == ["r2", "r3"]
    view = reader.run("r2")
    assert view is not None
    assert view.cancelled_by == "ben, superseded by run r4"
    assert _finish(writer, claim) == 1  # what had begun goes on


def test_a_paused_run_begins_no_host_and_lets_those_under_way_finish(
    writer: RecordWriter, steering: Steering
) -> None:
    _begun(writer, ("web-1", "web-2"), ("web-3",))
    claim = _claim(writer, "web-1")

    assert steering.pause("r1", operator="ana") == Paused(under_way=1)
    assert steering.pause("r1", operator="ben") == NotSteered(state="paused")
    refused = writer.claim("r1", "deployment", "web-2", worker="w", lease_seconds=30)
    assert refused == NotClaimed(reason="over", detail="paused")
    assert _finish(writer, claim) == 1
    assert steering.resume("r1", operator="ana") is None
    assert _finish(writer, _claim(writer, "web-2")) == 0
    assert steering.resume("r1", operator="ana") == NotSteered(state="running")


def test_a_host_under_way_in_a_paused_run_goes_on_under_another_worker(
    writer: RecordWriter, steering: Steering, redis_client: Redis
) -> None:
    _begun(writer, ("web-1",))
    _claim(writer, "web-1")
    steering.pause("r1", operator="ana")
    redis_client.hset(keys.lease("r1", "deployment", target("web-1")), "until", "0")

    assert _claim(writer, "web-1", worker="w2").claims == 1


def test_a_paused_run_can_be_cancelled(
    writer: RecordWriter, steering: Steering, reader: RecordReader
) -> None:
    _begun(writer, ("web-1",))
    steering.pause("r1", operator="ana")

    assert steering.cancel("r1", operator="ben") == ("asked", "0")
    assert reader.state("r1") is RunState.RUNNING
    assert steering.pause("r1", operator="ana") == NotSteered(state="running", cancelled_by="ben")


def test_cancelling_at_once_is_told_to_whoever_renews_or_claims(
    writer: RecordWriter, steering: Steering
) -> None:
    _begun(writer, ("web-1",))
    claim = _claim(writer, "web-1")

    steering.cancel("r1", operator="ana")
    assert writer.renew([claim], lease_seconds=0.001) == ["cancel"]
    steering.cancel("r1", operator="ana", now=True)
    assert writer.renew([claim], lease_seconds=0.001) == ["cancel_now"]

    time.sleep(0.01)  # the lease runs out
    assert _claim(writer, "web-1", worker="w2").cancel_now


def test_a_host_whose_proxy_is_down_waits_and_the_run_says_so_once(
    writer: RecordWriter, reader: RecordReader
) -> None:
    _begun(writer, ("web-1", "web-2"))
    why = "proxy_tcp_refused proxy bastion: refused"
    for host in ("web-1", "web-2"):
        assert writer.defer(_claim(writer, host), begun=False, seconds=5, proxy="bastion", cause=why)

    assert reader.statuses("r1") == {"web-1": "sent", "web-2": "sent"}
    kinds = [event.kind for event in reader.events("r1")]
    assert (kinds.count("host_waits"), kinds.count("route_down")) == (2, 1)
    assert "proxy bastion is down since" in str(reader.explanation("r1"))

    again = _claim(writer, "web-1")
    assert again.waited is not None
    assert (again.claims, again.waits_for) == (0, why)
    writer.arrived(again)  # over no proxy: the plan's targets have none
    assert _claim(writer, "web-2").waited is not None


def test_a_host_that_has_begun_keeps_its_machine_while_it_waits(
    writer: RecordWriter, redis_client: Redis
) -> None:
    _begun(writer, ("web-1",))
    _begun(writer, ("web-1",), run_id="r2")
    claim = _claim(writer, "web-1")

    assert writer.defer(claim, begun=True, seconds=5, proxy="", cause="connection_lost gone")
    assert not writer.defer(_stale(claim), begun=True, seconds=5, proxy="", cause="x")

    other = writer.claim("r2", "deployment", "web-1", worker="w2", lease_seconds=30)
    assert other == NotClaimed(reason="busy", detail="r1 web-1")
    again = _claim(writer, "web-1", worker="w2")
    assert again.claims == 1
    assert not redis_client.hexists(keys.lease("r1", "deployment", target("web-1")), "deferred")


def test_a_host_that_is_handed_over_is_taken_at_once(writer: RecordWriter, reader: RecordReader) -> None:
    _begun(writer, ("web-1",))
    claim = _claim(writer, "web-1")

    assert writer.hand_over(claim, worker="w1")
    second = _claim(writer, "web-1", worker="w2")

    assert not writer.hand_over(claim, worker="w1")
    assert _finish(writer, claim) is None
    assert _finish(writer, second) == 0
    kinds = [event.kind for event in reader.events("r1")][2:]
    assert kinds == ["host_started", "host_handed_over", "host_taken_over", "host_finished"]


UNKNOWN = HostResult(outcome=Outcome.INDETERMINATE, cause=Cause.SCRIPT_KILLED, message="killed")


def _needs_a_person(writer: RecordWriter, *hosts: str) -> None:
    _begun(writer, hosts, ("web-9",))
    for host in hosts:
        _finish(writer, _claim(writer, host), UNKNOWN)
    assert writer.end_run("r1", seen=0, state=RunState.NEEDS_ATTENTION, reason="look")


@pytest.mark.parametrize(("decision", "failed"), [("ok", 0), ("failed", 1)])
def test_a_person_decides_and_the_run_goes_on(
    writer: RecordWriter,
    steering: Steering,
    reader: RecordReader,
    redis_client: Redis,
    decision: Decision,
    failed: int,
) -> None:
    _needs_a_person(writer, "web-1", "web-2")
    decided = HostResult(outcome=Outcome(decision))

    def resolve(host: str) -> object:
        return steering.resolve(
            "r1", target(host), kind="deployment", decision=decision, operator="ana", result=decided
        )

    assert resolve("web-1") == Resolved(unknown=1, goes_on=False)
    assert reader.state("r1") is RunState.NEEDS_ATTENTION
    assert resolve("web-2") == Resolved(unknown=0, goes_on=True)
    assert resolve("web-2") == NotSteered(state=f"done {decision}")

    standing = writer.standing("r1")
    assert standing is not None
    assert (standing.state, standing.left, standing.failed) == (RunState.RUNNING, 0, 2 * failed)
    assert redis_client.ttl(keys.run("r1")) == -1
    assert reader.active() == ["r1"]
    assert writer.begin_batch("r1", seen=0, batch=1, reason="", hosts=("web-9",))


def test_a_host_is_tried_again_once_a_person_says_so(
    writer: RecordWriter, steering: Steering, reader: RecordReader
) -> None:
    _needs_a_person(writer, "web-1")

    answer = steering.resolve(
        "r1", target("web-1"), kind="deployment", decision="rerun", operator="ana", result=UNKNOWN
    )

    assert answer == Resolved(unknown=0, goes_on=True)
    claim = _claim(writer, "web-1")
    assert claim.rerun
    assert _finish(writer, claim) == 0
    assert reader.outcomes("r1") == {Outcome.OK: 1}
    assert writer.standing("r1").failed == 0  # type: ignore[union-attr] # it is there


def test_a_run_that_goes_on_comes_before_those_that_were_made_later(
    writer: RecordWriter, steering: Steering
) -> None:
    _needs_a_person(writer, "web-1")
    _begun(writer, ("web-9",), run_id="r2")
    _finish(writer, _claim(writer, "web-9", run_id="r2"))
    _begun(writer, ("web-9",), run_id="r3")

    steering.resolve(
        "r1",
        target("web-1"),
        kind="deployment",
        decision="ok",
        operator="ana",
        result=OK,
        not_begun=[target("web-9")],
    )

    refused = writer.claim("r3", "deployment", "web-9", worker="w", lease_seconds=30)
    assert refused == NotClaimed(reason="busy", detail="r1 web-9")


def test_releases_are_kept_by_machine_newest_first(writer: RecordWriter, reader: RecordReader) -> None:
    hosts = {"web-1": target("web-1"), "web-2": target("web-2")}
    for run_id, result in (("r1", OK), ("r2", FAILED), ("r3", OK)):
        _begun(writer, ("web-1",), run_id=run_id)
        _finish(writer, _claim(writer, "web-1", run_id=run_id), result)
        writer.end_run(run_id, seen=0, state=RunState.SUCCEEDED, reason="")

    found = reader.releases(hosts, "shop")

    assert [release.run_id for release in found["web-1"]] == ["r3", "r1"]
    assert found["web-1"][0].title == "shop 1.4"
    assert found["web-1"][0].plan.parameters == {"version": "1.4"}
    assert found["web-2"] == []


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


def test_cancelling_lets_go_of_hosts_that_no_worker_has(
    writer: RecordWriter, steering: Steering, reader: RecordReader
) -> None:
    _begun(writer, ("web-1", "web-2"), ("web-3",))
    claim = _claim(writer, "web-1")

    assert steering.cancel("r1", operator="ana") == ("asked", "1")
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
