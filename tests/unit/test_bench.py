"""The bench's arithmetic: a wrong verdict would mislead for months."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from bench import targets
from bench.measure import Failure, ProductSample, Sample
from bench.rounds import Contender, Row, play

GOOD = ProductSample(
    hosts=100,
    seconds=1.5,
    client_cpu=1.0,
    host_cpu=2.0,
    others=0.0,
    reference=90.0,
    first_host=0.3,
    redis_cpu=0.1,
    flower_cpu=0.1,
    proxy_cpu=0.0,
    redis_bytes=100 * 5 * 1024,
    log_bytes=100 * 1010,
    idle_memory=70.0,
    peak_memory=110.0,
    allowed_memory=125.0,
    proxy_connections=1,
    worker_processes=1,
)


def plain(rate: float) -> Sample:
    return Sample(hosts=100, seconds=100 / rate, client_cpu=1.0, host_cpu=1.0, others=0.0)


def verdicts(samples: Iterable[ProductSample], name: str = targets.DIRECT) -> dict[str, bool | None]:
    row = Row(name=name, title="", asked=100, samples=list(samples))
    return {verdict.target: verdict.reached for verdict in targets.judge([row], targets.Single())}


def contender(name: str, measure: Iterable[Sample | Failure], most: int | None = None) -> Contender:
    results = iter(measure)
    asked: list[int] = []

    def once(count: int) -> Sample:
        asked.append(count)
        result = next(results)
        if isinstance(result, Failure):
            raise result
        return replace(result, hosts=count)

    return Contender(name=name, title=name, most=most, rounds=100, measure=once)


@pytest.mark.parametrize(
    ("target", "bad"),
    [
        ("rate of paramiko's one exec, 100 hosts", {"reference": 112.0}),
        ("CPU in workers per host, 100 hosts", {"client_cpu": 1.7}),
        ("Redis per host and run, 100 hosts", {"redis_bytes": 100 * 6.1 * 1024}),
        ("memory of a worker process, 100 hosts", {"peak_memory": 126.0}),
        ("first host under way, 100 hosts", {"first_host": 1.1}),
    ],
)
def test_each_target_is_missed_by_its_own_figure_alone(target: str, bad: dict[str, Any]) -> None:
    # given
    assert all(reached is not False for reached in verdicts([GOOD]).values())

    # when
    found = verdicts([replace(GOOD, **bad)])

    # then
    assert [name for name, reached in found.items() if reached is False] == [target]


def test_the_median_of_the_rounds_decides() -> None:
    slow = replace(GOOD, seconds=9.0)

    assert verdicts([GOOD, slow, GOOD])["rate of paramiko's one exec, 100 hosts"] is True
    assert verdicts([slow, GOOD, slow])["rate of paramiko's one exec, 100 hosts"] is False


@pytest.mark.parametrize(("connections", "reached"), [(0, False), (1, True), (2, False)])
def test_one_worker_process_makes_exactly_one_connection_to_the_proxy(
    connections: int, *, reached: bool
) -> None:
    found = verdicts([replace(GOOD, proxy_connections=connections)], targets.PROXIED)

    assert found["connections to the proxy, 100 hosts"] is reached


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    assert set(verdicts([]).values()) == {None}


def test_cost_that_grows_with_the_fleet_is_found() -> None:
    few = Row(name=targets.DIRECT, title="", asked=100, samples=[GOOD])
    many = replace(GOOD, hosts=1000, seconds=15.0, client_cpu=13.0)
    rows = [few, Row(name=targets.DIRECT, title="", asked=1000, samples=[many])]

    found = {verdict.target: verdict.reached for verdict in targets.judge(rows, targets.Single())}

    assert found["CPU per host, 1000 hosts to 100"] is False
    assert found["time per host, 1000 hosts to 100"] is True


def test_each_round_is_compared_with_its_own_reference() -> None:
    reference = contender("reference", [plain(100), plain(50)])
    other = contender("other", [plain(50), plain(40)])

    rows = {
        row.name: row for row in play([reference, other], [100], 2, reference="reference", say=lambda _: None)
    }

    assert [sample.ratio for sample in rows["other"].samples] == pytest.approx([0.5, 0.8])


def test_a_slow_contender_gets_fewer_hosts_and_its_row_tells() -> None:
    rows = play([contender("slow", [plain(1)], most=20)], [100], 1, reference="slow", say=lambda _: None)

    assert (rows[0].asked, rows[0].samples[0].hosts) == (100, 20)


def test_a_contender_that_fails_ends_its_row_and_no_other() -> None:
    bad = contender("bad", [Failure("no answer")])
    good = contender("good", [plain(10), plain(10)])
    said: list[str] = []

    rows = {row.name: row for row in play([bad, good], [100], 2, reference="good", say=said.append)}

    assert rows["bad"].failure == "no answer"
    assert len(rows["good"].samples) == 2
    assert any("no answer" in text for text in said)
