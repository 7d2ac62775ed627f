"""Plays a worker's part in the record, for tests of what people see of it."""

from collections.abc import Iterable

from tasks.outcomes import HostResult, Outcome, RunState
from tasks.record.answers import LogPart
from tasks.record.claims import Claim
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter

LEASE_SECONDS = 60.0


class Player:
    """A worker that does what a test tells it."""

    def __init__(self, writer: RecordWriter, run_id: str) -> None:
        self._writer = writer
        self.run_id = run_id
        plan = RecordReader(writer.redis).plan(run_id)
        assert plan is not None
        self._plan = plan

    def begin(self, batch: int = 0) -> None:
        """Begin a batch, as the gate does."""
        begun = self._writer.begin_batch(
            self.run_id, seen=batch - 1, batch=batch, reason="so be it", hosts=self._plan.batches[batch]
        )
        assert begun

    def claim(self, host: str) -> Claim:
        """Take a host."""
        claim = self._writer.claim(
            self.run_id, self._plan.kind, host, worker="w0@test", lease_seconds=LEASE_SECONDS
        )
        assert isinstance(claim, Claim), claim
        return claim

    def report(self, claim: Claim, *, steps: str = "", printed: bytes = b"") -> None:
        """Say what a host printed, and which steps moved."""
        assert self._writer.report(claim, steps=steps, log=LogPart(head=printed))

    def finish(
        self, claim: Claim, outcome: str = "ok", *, log: LogPart | None = None, **fields: object
    ) -> None:
        """End a host."""
        result = HostResult.model_validate({"outcome": Outcome(outcome), "seconds": 1.5, **fields})
        self._writer.finish(claim, result, log=log or LogPart(), pins={})

    def finish_all(self, hosts: Iterable[str]) -> None:
        """Take hosts and end them well."""
        for host in hosts:
            self.finish(self.claim(host))

    def end(self, state: RunState = RunState.SUCCEEDED, *, seen: int = 0, reason: str = "as played") -> None:
        """End the run, as the gate does."""
        assert self._writer.end_run(self.run_id, seen=seen, state=state, reason=reason)

    def play(self) -> None:
        """Play a whole run in which every host ends ok."""
        for batch, hosts in enumerate(self._plan.batches):
            self.begin(batch)
            self.finish_all(hosts)
        self.end(seen=len(self._plan.batches) - 1)
