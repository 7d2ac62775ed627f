"""Stages of a connection, timed: where the time went, and where it failed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from workers.transports.base import TransportError


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage that has ended.

    Attributes:
        note: what people should know of it, such as that a kept connection was used.
    """

    name: str
    ok: bool
    seconds: float
    note: str = ""


class StageTimer:
    """A StageClock that keeps what it timed; for one host, so for one thread.

    Attributes:
        now: seconds that only go forward.
        stages: those that have ended, in order.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.now = clock
        self.stages: list[Stage] = []
        self._remark = ""

    def remark(self, note: str) -> None:
        """Tell something about the stage that is under way."""
        self._remark = note

    @contextmanager
    def __call__(self, name: str, *, note: str = "") -> Iterator[None]:
        """Time one stage; an error that passes through learns in which stage it happened."""
        start = self.now()
        self._remark = note
        ok = False
        try:
            yield
            ok = True
        except TransportError as error:
            error.stage = error.stage or name
            raise
        finally:
            self.stages.append(Stage(name=name, ok=ok, seconds=self.now() - start, note=self._remark))


@contextmanager
def untimed(name: str, *, note: str = "") -> Iterator[None]:  # noqa: ARG001 - a StageClock's face
    """A StageClock that times nothing; errors still learn their stage."""
    try:
        yield
    except TransportError as error:
        error.stage = error.stage or name
        raise


def unnamed(name: str, *, note: str = "") -> AbstractContextManager[None]:  # noqa: ARG001 - a StageClock's face
    """A StageClock for what is part of a greater stage: it does nothing."""
    return nullcontext()
