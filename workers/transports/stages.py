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
    """A StageClock that keeps what it timed.

    Attributes:
        stages: those that have ended, in order.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.stages: list[Stage] = []

    @contextmanager
    def __call__(self, name: str, *, note: str = "") -> Iterator[None]:
        """Time one stage; an error that passes through learns in which stage it happened."""
        start = self._clock()
        try:
            yield
        except TransportError as error:
            error.stage = error.stage or name
            self._end(name, start, ok=False, note=note)
            raise
        except BaseException:
            self._end(name, start, ok=False, note=note)
            raise
        self._end(name, start, ok=True, note=note)

    def _end(self, name: str, start: float, *, ok: bool, note: str) -> None:
        self.stages.append(Stage(name=name, ok=ok, seconds=self._clock() - start, note=note))


def untimed(name: str, *, note: str = "") -> AbstractContextManager[None]:  # noqa: ARG001 - a StageClock's face
    """A StageClock that times nothing."""
    return nullcontext()
