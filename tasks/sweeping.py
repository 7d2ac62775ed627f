"""Looks for runs that should be moving and are not, and sends their messages again."""

from dataclasses import dataclass
from typing import Protocol

from tasks.advancing import Outbox, send_hosts
from tasks.outcomes import RunState
from tasks.record.answers import Standing
from tasks.record.leases import (
    deferrals,
    now_ms,
    others_first,
    proxies_down,
    seconds_since_sent,
)
from tasks.record.leases import (
    free as found_free,
)
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter
from tasks.unmoving import Hosts, unmoving

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

    Attributes:
        route_wait: seconds that a host waits whose proxy is down.
    """

    reader: RecordReader
    writer: RecordWriter
    outbox: Outbox
    queues: Queues
    route_wait: float

    def sweep(self) -> None:
        """Look at every active run."""
        for run_id in self.reader.active():
            self._look_at(run_id)

    def _look_at(self, run_id: str) -> None:
        standing = self.writer.standing(run_id)
        if standing is not None and standing.left:
            self._resend_hosts(run_id, standing)
        elif standing is not None and standing.state is not RunState.PAUSED:
            self._nudge_gate(run_id, standing)

    def look_at_hosts(self, run_id: str) -> None:
        """Look whether hosts of one of them move."""
        standing = self.writer.standing(run_id)
        if standing is not None and standing.left:
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
        still = self._unmoving(run_id, standing) if idle else []
        plan = self.reader.plan(run_id, with_hosts=False) if still else None
        if plan is None:
            return
        targets = self.reader.targets(run_id, still)
        hosts = [name for name, target in targets.items() if target.pool in idle]
        if hosts:
            self.writer.sent_again(run_id, hosts)
            send_hosts(run_id, standing.batch, hosts, plan, self.reader, self.outbox)

    def _unmoving(self, run_id: str, standing: Standing) -> list[str]:
        redis, statuses = self.reader.redis, self.reader.statuses(run_id)
        running = {name: text.removeprefix("running ") for name, text in statuses.items() if text[0] == "r"}
        waits, quiet = deferrals(redis, run_id), seconds_since_sent(redis, run_id) > QUIET_SECONDS
        # Hosts that have not begun don't begin while the run is paused.
        paused = standing.state is RunState.PAUSED
        sent = [name for name, text in statuses.items() if text == "sent" and not paused]
        sent = [name for name in sent if quiet or name in waits]
        targets = self.reader.targets(run_id, [*running, *sent])
        if standing.kind == "deployment":
            candidates = {name: targets[name] for name in sent}
            behind = others_first(redis, run_id, candidates)
            sent = [name for name in sent if name not in behind]
        free = found_free(redis, run_id, standing.kind, running, targets)
        hosts = Hosts(sent=sent, expired=free.expired, given_back=free.deferred, waits=waits)
        return unmoving(
            hosts,
            down=set(proxies_down(redis, run_id)),
            now=now_ms(redis),
            limit=self.route_wait * 1000,
            messages_lost=quiet,
        )
