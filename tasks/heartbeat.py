"""The thread inside every worker process that renews leases, says that it lives, and sweeps."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import redis
from kombu.exceptions import OperationalError

from config.settings import Settings
from tasks.holdings import Holdings
from tasks.record import keys
from tasks.record.presence import Presence
from tasks.record.store import RecordWriter

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Beat:
    """What one heartbeat does.

    Attributes:
        name: of this worker process.
        pools: whose queues it serves.
        sweep: one look over all runs.
    """

    settings: Settings
    writer: RecordWriter
    presence: Presence
    holdings: Holdings
    name: str
    pools: tuple[str, ...]
    slots: int
    version: str
    sweep: Callable[[], None]

    def __call__(self) -> None:
        """Renew, announce, and sweep when no other worker has done so lately."""
        self.holdings.renew(self.writer, lease_seconds=self.settings.lease_seconds)
        for pool in self.pools:
            self.presence.announce(
                name=self.name, pool=pool, version=self.version, slots=self.slots, busy=self.holdings.busy
            )
        interval = int(self.settings.sweep_interval * 1000)
        if self.writer.redis.set(keys.SWEEP, self.name, nx=True, px=interval):
            self.sweep()
            self.presence.forget_dead()
            self.writer.forget_expired()

    def leave(self) -> None:
        """Say that this process is going."""
        for pool in self.pools:
            self.presence.leave(name=self.name, pool=pool)


@dataclass(kw_only=True)
class Heartbeat:
    """Beats until stopped; an outage of Redis is waited out."""

    beat: Beat
    seconds: float
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start beating."""
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and say goodbye if Redis can be reached."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
        try:
            self.beat.leave()
        except redis.RedisError as error:
            log.warning("could not say goodbye: %s", error)

    def _run(self) -> None:
        reachable = True
        while not self._stopped.is_set():
            started = time.monotonic()
            try:
                self.beat()
                if not reachable:
                    log.warning("Redis can be reached again")
                reachable = True
            except (redis.RedisError, OperationalError, OSError) as error:
                if reachable:
                    log.warning("Redis can't be reached, work goes on: %s", error)
                reachable = False
            except Exception:  # the one thread that must not end: without it every lease runs out
                log.exception("heartbeat failed")
            self._stopped.wait(max(0.0, self.seconds - (time.monotonic() - started)))
