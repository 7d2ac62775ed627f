"""The verdicts of the bench over Windows hosts."""

from dataclasses import replace
from typing import Any

import pytest

from bench.measure import WindowsSample
from bench.rounds import Row
from bench.winrm import targets
from bench.winrm.rows import LONGSHORE, SESSION
from bench.winrm.uploads import Upload

GOOD = WindowsSample(
    hosts=100,
    seconds=5.0,
    client_cpu=2.0,
    host_cpu=2.0,
    others=0.0,
    reference=6.0,
    requests={"Create": 1.0, "Receive": 40.0},
    most_requests=12,
)
FAST = Upload(tls=True, size=50_000_000, seconds=2.0, client_cpu=1.0, host_cpu=1.0)
UPLOADS = [FAST, replace(FAST, tls=False)]


def missed(*samples: WindowsSample, uploads: list[Upload]) -> list[str]:
    row = Row(name=LONGSHORE, title="", asked=100, samples=list(samples))
    other = Row(name=SESSION, title="", asked=100, samples=[replace(GOOD, most_requests=70)])
    return [each.target for each in targets.judge([other, row], uploads) if each.reached is False]


def test_what_waits_for_output_and_what_others_do_counts_for_nothing() -> None:
    assert missed(GOOD, uploads=UPLOADS) == []


@pytest.mark.parametrize(
    ("target", "bad"),
    [
        ("requests to the host asked most, but for output", {"most_requests": 13}),
        ("rate of pywinrm's Session.run_ps", {"reference": 7.0}),
    ],
)
def test_each_target_is_missed_by_its_own_figure_alone(target: str, bad: dict[str, Any]) -> None:
    assert missed(replace(GOOD, **bad), uploads=UPLOADS) == [target]


def test_the_median_of_the_rounds_decides() -> None:
    slow = replace(GOOD, seconds=9.0)

    assert missed(GOOD, slow, GOOD, uploads=UPLOADS) == []
    assert missed(slow, GOOD, slow, uploads=UPLOADS) == ["rate of pywinrm's Session.run_ps"]


@pytest.mark.parametrize(
    ("tls", "target"), [(True, "upload over HTTPS"), (False, "upload, sealed over HTTP")]
)
def test_an_upload_is_judged_by_its_own_kind(target: str, *, tls: bool) -> None:
    slow = [replace(each, seconds=2.6) if each.tls is tls else each for each in UPLOADS]

    assert missed(GOOD, uploads=slow) == [target]


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    assert {verdict.reached for verdict in targets.judge([], [])} == {None}
