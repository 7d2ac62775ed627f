"""A client of a real Redis for simulated schedules: clock and restarts are the simulation's."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from redis import Redis
from redis.commands.core import Script

NOW = "simulation:now"
BEGINNING = 1_800_000_000_000
_RECORD, _DISK = 1, 2

_CLOCK = f"""
local function simulated_time()
  local now = tonumber(redis.call('GET', '{NOW}'))
  return {{math.floor(now / 1000), now % 1000 * 1000}}
end
"""

_COPY = """
redis.call('SELECT', ARGV[2])
redis.call('FLUSHDB')
redis.call('SELECT', ARGV[1])
for _, key in ipairs(redis.call('KEYS', '*')) do
  redis.call('COPY', key, key, 'DB', ARGV[2])
end
"""

_OBSERVE = """
local runs, leases, queues = {}, {}, {}
for index, run in ipairs(ARGV) do
  local key = 'run:' .. run
  local fields = redis.call('HMGET', key, 'state', 'batch', 'left', 'failed', 'begun', 'order', 'paused_by',
    'cancelled_by', 'sent_at', 'kind', 'verification')
  runs[index] = {fields, redis.call('HGETALL', key .. ':status'), redis.call('XLEN', key .. ':events'),
    redis.call('HLEN', key .. ':results'), redis.call('HKEYS', key .. ':deferred')}
end
for _, key in ipairs(redis.call('KEYS', 'lease:*')) do
  leases[#leases + 1] = {key, redis.call('HGETALL', key)}
end
for _, key in ipairs(redis.call('KEYS', 'queue:*')) do
  queues[#queues + 1] = {key, redis.call('ZRANGE', key, 0, -1)}
end
return cjson.encode({runs, leases, queues, redis.call('SMEMBERS', 'runs:active')})
"""


class KilledError(Exception):
    """The process that was to send this command has just been killed."""


@dataclass(kw_only=True)
class Interruption:
    """What happens just before one of the next commands.

    Attributes:
        after: which of them: 1 is the next.
        happens: what; None when the command itself is carried out, its answer is lost, and it is sent again.
    """

    after: int
    happens: Callable[[], None] | None = None


@dataclass(frozen=True)
class SeenRun:
    """What the record holds of one run."""

    kind: str
    state: str
    batch: int
    left: int
    failed: int
    begun: int
    order: int
    paused_by: str | None
    cancelled_by: str | None
    sent_at: str | None
    verification: str | None
    statuses: dict[str, str]
    events: int
    results: int
    deferred: frozenset[str]


@dataclass(frozen=True)
class Seen:
    """What the record holds, as far as promises are about it."""

    runs: dict[str, SeenRun] = field(default_factory=dict)
    leases: dict[str, dict[str, str]] = field(default_factory=dict)
    queues: dict[str, list[str]] = field(default_factory=dict)
    active: frozenset[str] = frozenset()


class SimulatedRedis(Redis):
    """A client as the product has it. Commands can be interrupted; scripts are the real ones."""

    interruption: Interruption | None = None
    now = BEGINNING
    _sent: ClassVar[set[str]] = set()

    def register_script(self, script: Any) -> Script:
        """The real script, on the simulation's clock; sent at once, so that its first call is as others."""
        assert "redis.call('TIME')" in script
        made = super().register_script(_CLOCK + script.replace("redis.call('TIME')", "simulated_time()"))
        if made.sha not in self._sent:
            self._sent.add(made.sha)
            super().execute_command("SCRIPT LOAD", made.script)
        return made

    def time(self, **_: Any) -> Any:
        """The simulation's clock, as ``TIME`` tells it."""
        return self.now // 1000, self.now % 1000 * 1000

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command, unless something happens first."""
        due = self.interruption
        if due is not None:
            due.after -= 1
            if due.after <= 0 and due.happens is not None:
                self.interruption = None
                due.happens()
            elif due.after <= 0 and args[0] == "EVALSHA":
                self.interruption = None
                super().execute_command(*args, **options)
        return super().execute_command(*args, **options)

    def begin(self) -> None:
        """Empty the record, and set the clock to where every schedule begins."""
        self.interruption = None
        with self.pipeline(transaction=False) as pipeline:
            pipeline.flushdb()
            pipeline.set(NOW, BEGINNING)
            pipeline.execute()
        self.now = BEGINNING

    def pass_time(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now += milliseconds
        self.set(NOW, self.now)

    def sync(self) -> None:
        """What is in memory is on the disk now."""
        self._copy(_RECORD, _DISK)

    def restart(self, *, from_disk: bool) -> None:
        """Another process answers from now on, where ``from_disk`` with what was on the disk."""
        if from_disk:
            self._copy(_DISK, _RECORD)
        self.pass_time(1000)
        self.hset("server", "process", "another")

    def _copy(self, source: int, target: int) -> None:
        self.eval(_COPY, 0, source, target)

    def observe(self, runs: list[str]) -> Seen:
        """Look at the record from beside."""
        found, leases, queues, active = json.loads(self.eval(_OBSERVE, 0, *runs))
        return Seen(
            runs={run: _seen(*each) for run, each in zip(runs, found, strict=True) if each[0][0]},
            leases={key: _pairs(each) for key, each in leases},
            queues={key: list(each) for key, each in queues},
            active=frozenset(active),
        )


def _seen(fields: list[Any], statuses: list[str], events: int, results: int, deferred: list[str]) -> SeenRun:
    state, batch, left, failed, begun, order, paused_by, cancelled_by, sent_at, kind, verification = (
        each or None for each in fields
    )
    return SeenRun(
        kind=str(kind),
        state=str(state),
        batch=int(batch),
        left=int(left),
        failed=int(failed),
        begun=int(begun),
        order=int(order),
        paused_by=paused_by,
        cancelled_by=cancelled_by,
        sent_at=sent_at,
        verification=verification,
        statuses=_pairs(statuses),
        events=events,
        results=results,
        deferred=frozenset(deferred),
    )


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
