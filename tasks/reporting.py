"""Carries what happens on one host into the record, a few times a second at most."""

import json
import time
from collections.abc import Sequence

import redis

from tasks.holdings import Held
from tasks.hostscript.bounded import BoundedLog, Masker
from tasks.outcomes import StepResult
from tasks.record.store import LogPart, RecordWriter

FLUSH_SECONDS = 0.5


class Reporter:
    """Keeps what is new, and writes it when it is time; the outcome's writer takes what is left.

    While Redis is away nothing is lost: steps and log stay here, bounded, until they can be written.
    """

    def __init__(self, held: Held, writer: RecordWriter, *, log: BoundedLog, masker: Masker) -> None:
        self._held = held
        self._writer = writer
        self._log = log
        self._masker = masker
        self._written: tuple[StepResult, ...] = ()
        self._unwritten = LogPart()
        self._flushed = time.monotonic()

    def output(self, data: bytes) -> None:
        """Take bytes that the host printed; secrets are masked before anything keeps them."""
        self._log.add(self._masker.feed(data))

    def flush_if_due(self, steps: Sequence[StepResult]) -> None:
        """Write what is new, if the last time was long enough ago; an outage of Redis is waited out."""
        now = time.monotonic()
        if now - self._flushed < FLUSH_SECONDS:
            return
        self._flushed = now
        moved = [
            [index, step.state.value, step.exit_code, step.seconds]
            for index, step in enumerate(steps)
            if index >= len(self._written) or self._written[index] != step
        ]
        part = self._take()
        if not moved and not part.head and part.cut == self._unwritten.cut:
            return
        try:
            if not self._writer.report(self._held.claim, steps=json.dumps(moved) if moved else "", log=part):
                self._held.lost.set()
        except (redis.ConnectionError, redis.TimeoutError):
            self._unwritten = part
            return
        self._unwritten = LogPart(tail=part.tail, cut=part.cut)
        self._written = tuple(steps)

    def rest(self) -> LogPart:
        """What has not been written yet; the host's last."""
        self._log.add(self._masker.finish())
        return self._take()

    def _take(self) -> LogPart:
        return LogPart(
            head=self._unwritten.head + self._log.new_head(), tail=self._log.tail(), cut=self._log.cut
        )
