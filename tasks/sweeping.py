"""Looks for runs that should be moving and are not, and sends their messages again."""

from dataclasses import dataclass
from typing import Protocol

from tasks.advancing import Outbox, send_hosts
from tasks.record.leases import expired, seconds_since_sent
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter, Standing

QUIET_SECONDS = 10.0
"""A message that no worker took for this long, while its queue is empty, is taken for lost."""


class Queues(Protocol):
    """How much waits in a pool's queue."""

    def waiting(self, pool: str) -> int:
        """Messages that no worker has taken yet."""


@dataclass(frozen=True, kw_only=True)
class Sweeper:
    """One look over all runs that haven't ended.

    Sweeping twice, or at the same time elsewhere, does no harm: every task is idempotent.
    """

    reader: RecordReader
    writer: RecordWriter
    outbox: Outbox
    queues: Queues

    def sweep(self) -> None:
        """Look at every active run."""
        for run_id in self.reader.active():
            standing = self.writer.standing(run_id)
            if standing is None:
                continue
            if standing.left == 0:
                self._nudge_gate(run_id, standing)
            else:
                self._resend_hosts(run_id, standing)

    def _nudge_gate(self, run_id: str, standing: Standing) -> None:
        if standing.verification and standing.batch < 0:
            verification = self.writer.standing(standing.verification)
            if verification is not None and not verification.state.ended:
                return
        if all(self.queues.waiting(pool) == 0 for pool in standing.pools):
            self.outbox.gate(run_id, title=standing.title, pools=standing.pools)

    def _resend_hosts(self, run_id: str, standing: Standing) -> None:
        idle = {pool for pool in standing.pools if self.queues.waiting(pool) == 0}
        # Where messages still wait, none is missed yet; looking for them costs a big run's workers.
        still = unmoving(self.reader, run_id, standing, quiet_seconds=QUIET_SECONDS) if idle else []
        plan = self.reader.plan(run_id, with_hosts=False) if still else None
        if plan is None:
            return
        targets = self.reader.targets(run_id, still)
        hosts = [name for name, target in targets.items() if target.pool in idle]
        if hosts:
            self.writer.sent_again(run_id, hosts)
            send_hosts(run_id, standing.batch, hosts, plan, self.reader, self.outbox)


def unmoving(reader: RecordReader, run_id: str, standing: Standing, *, quiet_seconds: float) -> list[str]:
    """Hosts whose message no worker took in time, and hosts whose worker stopped renewing its lease."""
    statuses = reader.statuses(run_id)
    running = {name: text.removeprefix("running ") for name, text in statuses.items() if text[0] == "r"}
    targets = reader.targets(run_id, list(running))
    lost = expired(reader.redis, run_id, standing.kind, running, targets)
    if seconds_since_sent(reader.redis, run_id) > quiet_seconds:
        lost += [name for name, text in statuses.items() if text == "sent"]
    return lost
