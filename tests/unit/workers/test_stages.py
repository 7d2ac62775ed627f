"""Stages are timed in order, and an error learns in which one it happened."""

from collections.abc import Iterator

import pytest

from config.causes import Cause
from workers.transports.base import TransportError
from workers.transports.stages import Stage, StageTimer, untimed


def ticks(*times: float) -> Iterator[float]:
    return iter(times)


def test_stages_are_kept_in_order_with_their_time_and_note() -> None:
    clock = ticks(10.0, 10.5, 20.0, 21.0)
    timer = StageTimer(lambda: next(clock))
    with timer("dns"):
        pass
    with timer("workdir"):
        timer.remark("12 MB free")
    assert timer.stages == [
        Stage(name="dns", ok=True, seconds=0.5),
        Stage(name="workdir", ok=True, seconds=1.0, note="12 MB free"),
    ]


def test_error_learns_its_innermost_stage() -> None:
    clock = ticks(0, 1, 2, 3)
    timer = StageTimer(lambda: next(clock))
    error = TransportError(Cause.AUTH, "no")
    with pytest.raises(TransportError), timer("proxy_login"), untimed("login"):
        raise error
    assert error.stage == "login"
    assert [(stage.name, stage.ok) for stage in timer.stages] == [("proxy_login", False)]
