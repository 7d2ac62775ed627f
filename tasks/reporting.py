"""Carries what happens on one host into the record, a few times a second at most."""

import json
import time
from collections.abc import Sequence
from contextlib import suppress

import redis

from tasks.holdings import Held
from tasks.hostscript.bounded import BoundedLog
from tasks.outcomes import StepResult
from tasks.record.answers import LogPart
from tasks.record.store import RecordWriter

FLUSH_SECONDS = 0.5


class Reporter:
    """Keeps what is new, and writes it when it is time; the outcome's writer takes what is left.

    While Redis is away nothing is lost: steps and log stay here, bounded, until they can be written.
    """

    def __init__(self, held: Held, writer: RecordWriter, *, log: BoundedLog) -> None:
        self._held = held
        self._writer = writer
        self._log = log
        self._written: tuple[StepResult, ...] = ()
        self._unwritten_head = b""
        self._written_size = 0
        self._anew = True
        self._flushed = time.monotonic()

    def arrived(self) -> None:
        """The host is reached; where it was waited for, the record is told."""
        if self._held.claim.waited is not None:
            with suppress(redis.ConnectionError, redis.TimeoutError):  # its sweep only sends what it needn't
                self._writer.arrived(self._held.claim)

    def output(self, data: bytes) -> None:
        """Take bytes that the host printed, its secrets masked."""
        self._log.append(data)

    def flush_if_due(self, steps: Sequence[StepResult]) -> None:
        """Write what is new, if the last time was long enough ago."""
        now = time.monotonic()
        if now - self._flushed < FLUSH_SECONDS:
            return
        self._flushed = now
        moved = [
            [index, step.state.value, step.exit_code, step.seconds]
            for index, step in enumerate(steps)
            if index >= len(self._written) or self._written[index] != step
        ]
        if moved or self._log.size > self._written_size:
            self._write(tuple(steps), json.dumps(moved) if moved else "")

    def _write(self, steps: tuple[StepResult, ...], moved: str) -> None:
        size, part = self._log.size, self.rest()
        try:
            if not self._writer.report(self._held.claim, steps=moved, log=part):
                self._held.lost.set()
        except (redis.ConnectionError, redis.TimeoutError):
            self._unwritten_head = part.head
            return
        self._written, self._written_size = steps, size
        self._anew = self._anew and not part.anew

    def rest(self) -> LogPart:
        """What no report has carried yet; whoever takes it writes it."""
        head, self._unwritten_head = self._unwritten_head + self._log.take_head(), b""
        anew = self._anew and self._log.size > 0
        return LogPart(head=head, tail=self._log.tail, cut=self._log.cut, anew=anew)
