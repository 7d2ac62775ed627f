from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from redis import Redis

from config.causes import Cause
from config.targets import HostTarget
from tasks.advancing import Gatekeeper
from tasks.outcomes import HostResult, Outcome, RunState
from tasks.record import keys
from tasks.record.answers import Links, LogPart
from tasks.record.claims import Claim
from tasks.record.reading import RecordReader
from tasks.record.steering import Steering
from tasks.record.store import RecordWriter
from tasks.sweeping import Sweeper
from tests.support.plans import deployment, target, verification

pytestmark = pytest.mark.integration

OK = HostResult(outcome=Outcome.OK)
UNREACHABLE = HostResult(outcome=Outcome.UNREACHABLE, cause=Cause.TCP_TIMEOUT, message="no answer")


@dataclass
class Posted:
    """An outbox that keeps what is put into it."""

    hosts_sent: list[str] = field(default_factory=list)
    gates_sent: list[str] = field(default_factory=list)

    def hosts(self, run_id: str, kind: str, targets: Iterable[HostTarget], *, title: str, batch: str) -> None:
        del run_id, kind, title, batch
        self.hosts_sent += [each.name for each in targets]

    def gate(self, run_id: str, *, title: str, pools: Sequence[str], first: bool = False) -> None:
        del title, pools, first
        self.gates_sent.append(run_id)


@dataclass
class Backlog:
    """Queues of a given length."""

    length: int = 0

    def waiting(self, pool: str) -> int:
        del pool
        return self.length


@pytest.fixture
def outbox() -> Posted:
    return Posted()


@pytest.fixture
def gatekeeper(reader: RecordReader, writer: RecordWriter, outbox: Posted) -> Gatekeeper:
    return Gatekeeper(reader=reader, writer=writer, outbox=outbox)


@pytest.fixture
def sweeper(reader: RecordReader, writer: RecordWriter, outbox: Posted) -> Sweeper:
    return Sweeper(reader=reader, writer=writer, outbox=outbox, queues=Backlog(), route_wait=120.0)


def _end(writer: RecordWriter, run_id: str, host: str, result: HostResult, kind: str = "deployment") -> None:
    claim = writer.claim(run_id, kind, host, worker="w1", lease_seconds=30)
    assert isinstance(claim, Claim)
    assert writer.finish(claim, result, log=LogPart(), pins={})


def test_a_rollout_goes_batch_by_batch_to_its_end(
    gatekeeper: Gatekeeper, writer: RecordWriter, reader: RecordReader, outbox: Posted
) -> None:
    writer.create("r1", deployment(("web-1",), ("web-2", "web-3")), operator="ana", marker="m")

    gatekeeper.advance("r1")
    assert outbox.hosts_sent == ["web-1"]
    _end(writer, "r1", "web-1", OK)
    gatekeeper.advance("r1")
    assert outbox.hosts_sent == ["web-1", "web-2", "web-3"]
    _end(writer, "r1", "web-2", OK)
    gatekeeper.advance("r1")
    _end(writer, "r1", "web-3", OK)
    gatekeeper.advance("r1")

    view = reader.run("r1")
    assert view is not None
    assert view.state is RunState.SUCCEEDED
    assert outbox.hosts_sent == ["web-1", "web-2", "web-3"]


def test_many_copies_of_the_gates_message_at_once_do_what_one_does(
    gatekeeper: Gatekeeper, writer: RecordWriter, outbox: Posted
) -> None:
    hosts = tuple(f"web-{number}" for number in range(1, 11))
    writer.create("r1", deployment(hosts), operator="ana", marker="m")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(gatekeeper.advance, ["r1"] * 16))

    assert sorted(outbox.hosts_sent) == sorted(hosts)


def test_a_failure_beyond_the_limit_stops_and_the_rest_is_not_started(
    gatekeeper: Gatekeeper, writer: RecordWriter, reader: RecordReader
) -> None:
    writer.create("r1", deployment(("web-1",), ("web-2",)), operator="ana", marker="m")
    gatekeeper.advance("r1")
    _end(writer, "r1", "web-1", UNREACHABLE)

    gatekeeper.advance("r1")

    view = reader.run("r1")
    assert view is not None
    assert view.state is RunState.FAILED
    assert [host.outcome for batch in view.batches for host in batch.hosts] == [
        Outcome.UNREACHABLE,
        Outcome.NOT_STARTED,
    ]


def test_a_deployment_waits_for_its_verification_and_spares_what_it_found_unreachable(
    gatekeeper: Gatekeeper, writer: RecordWriter, reader: RecordReader, outbox: Posted
) -> None:
    writer.create("v1", verification("web-1", "web-2"), operator="ana", marker="m")
    plan = deployment(("web-1", "web-2"), ("web-3",), max_failed=1)
    writer.create("r1", plan, operator="ana", marker="m", links=Links(verification="v1"))
    writer.depend("v1", "r1")

    gatekeeper.advance("r1")
    assert outbox.hosts_sent == []
    gatekeeper.advance("v1")
    _end(writer, "v1", "web-1", UNREACHABLE, kind="verification")
    _end(writer, "v1", "web-2", OK, kind="verification")
    gatekeeper.advance("v1")
    assert outbox.gates_sent == ["r1"]
    outbox.hosts_sent.clear()
    gatekeeper.advance("r1")

    assert outbox.hosts_sent == ["web-2"]
    result = reader.results("r1")["web-1"]
    assert (result.outcome, result.cause) == (Outcome.UNREACHABLE, Cause.TCP_TIMEOUT)
    assert result.message == "before anything was deployed: no answer"


def test_nothing_is_deployed_when_too_many_fail_their_verification(
    gatekeeper: Gatekeeper, writer: RecordWriter, reader: RecordReader, outbox: Posted
) -> None:
    writer.create("v1", verification("web-1"), operator="ana", marker="m")
    writer.create(
        "r1", deployment(("web-1", "web-2")), operator="ana", marker="m", links=Links(verification="v1")
    )
    writer.depend("v1", "r1")
    gatekeeper.advance("v1")
    _end(writer, "v1", "web-1", UNREACHABLE, kind="verification")
    gatekeeper.advance("v1")
    outbox.hosts_sent.clear()

    gatekeeper.advance("r1")

    view = reader.run("r1")
    assert view is not None
    assert view.state is RunState.FAILED
    assert outbox.hosts_sent == []


def test_a_batch_whose_hosts_all_failed_verification_is_passed_within_the_limit(
    gatekeeper: Gatekeeper, writer: RecordWriter, outbox: Posted
) -> None:
    writer.create("v1", verification("web-1"), operator="ana", marker="m")
    plan = deployment(("web-1",), ("web-2",), max_failed=1)
    writer.create("r1", plan, operator="ana", marker="m", links=Links(verification="v1"))
    gatekeeper.advance("v1")
    _end(writer, "v1", "web-1", UNREACHABLE, kind="verification")
    gatekeeper.advance("v1")
    outbox.hosts_sent.clear()

    gatekeeper.advance("r1")

    assert outbox.hosts_sent == ["web-2"]


def test_a_lost_gate_message_is_sent_again(sweeper: Sweeper, writer: RecordWriter, outbox: Posted) -> None:
    writer.create("r1", deployment(("web-1",)), operator="ana", marker="m")

    sweeper.sweep()

    assert outbox.gates_sent == ["r1"]


def test_nothing_is_sent_again_while_messages_wait_in_the_queue(
    reader: RecordReader, writer: RecordWriter, outbox: Posted
) -> None:
    writer.create("r1", deployment(("web-1",)), operator="ana", marker="m")

    Sweeper(reader=reader, writer=writer, outbox=outbox, queues=Backlog(1), route_wait=120.0).sweep()

    assert outbox.gates_sent == []


def test_a_lost_host_message_is_sent_again_once_it_is_late(
    sweeper: Sweeper, gatekeeper: Gatekeeper, writer: RecordWriter, outbox: Posted, redis_client: Redis
) -> None:
    writer.create("r1", deployment(("web-1", "web-2")), operator="ana", marker="m")
    gatekeeper.advance("r1")
    _end(writer, "r1", "web-1", OK)
    outbox.hosts_sent.clear()

    sweeper.sweep()
    assert outbox.hosts_sent == []
    redis_client.hset(keys.run("r1"), "sent_at", "0")
    sweeper.sweep()
    sweeper.sweep()

    assert outbox.hosts_sent == ["web-2"]


def test_the_host_of_a_lost_worker_is_sent_again_when_its_lease_is_over(
    sweeper: Sweeper, gatekeeper: Gatekeeper, writer: RecordWriter, outbox: Posted, redis_client: Redis
) -> None:
    writer.create("r1", deployment(("web-1",)), operator="ana", marker="m")
    gatekeeper.advance("r1")
    assert isinstance(writer.claim("r1", "deployment", "web-1", worker="w1", lease_seconds=30), Claim)
    outbox.hosts_sent.clear()

    sweeper.sweep()
    assert outbox.hosts_sent == []
    redis_client.hset(keys.lease("r1", "deployment", target("web-1")), "until", "0")
    sweeper.sweep()

    assert outbox.hosts_sent == ["web-1"]


def test_a_paused_run_that_is_done_with_a_machine_holds_nobody_up(
    sweeper: Sweeper, writer: RecordWriter, steering: Steering, redis_client: Redis, outbox: Posted
) -> None:
    writer.create("r1", deployment(("web-1",)), operator="ana", marker="m")
    steering.pause("r1", operator="ana")
    writer.refuse("r1", {"web-1": UNREACHABLE})
    writer.create("r2", deployment(("web-1",)), operator="ben", marker="n")
    writer.begin_batch("r2", seen=-1, batch=0, reason="first", hosts=["web-1"])
    redis_client.hset(keys.run("r2"), "sent_at", 1)

    sweeper.sweep()

    assert outbox.hosts_sent == ["web-1"]
