"""What is measured: samples, and how several of them are put together."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench import processes


class Failure(Exception):  # noqa: N818 - it ends one row, and the table says so
    """A row could not be measured; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One run of one row.

    Attributes:
        hosts: how many hosts it went over.
        seconds: wall time.
        client_cpu: CPU seconds of the tool, on the side that connects.
        host_cpu: CPU seconds of sshd and of what ran on the hosts, to the end of all sessions.
        others: share of the machine's CPU time that went to anything else meanwhile.
        reference: hosts per second of the reference row in the same round; None where it did not run.
    """

    hosts: int
    seconds: float
    client_cpu: float
    host_cpu: float
    others: float
    reference: float | None = None

    @property
    def rate(self) -> float:
        """Hosts per second."""
        return self.hosts / self.seconds

    @property
    def ratio(self) -> float | None:
        """Hosts per second over those of the reference in the same round."""
        return None if self.reference is None else self.rate / self.reference


@dataclass(frozen=True, kw_only=True)
class ProductSample(Sample):
    """One deployment by Longshore; ``client_cpu`` is that of its workers.

    Attributes:
        first_host: seconds from submitting to the first connection to a host.
        redis_cpu: CPU seconds of Redis.
        flower_cpu: CPU seconds of Flower.
        proxy_cpu: CPU seconds of the proxy's sshd.
        redis_bytes: what the run left in Redis.
        log_bytes: what its steps printed, on all hosts.
        idle_memory: megabytes of the largest worker process before it.
        peak_memory: most megabytes of a worker process during it.
        allowed_memory: what that process may have, by the target, with the connections that it had.
        proxy_connections: how many connections to the proxy it made.
        worker_processes: how many processes could have made one.
    """

    first_host: float
    redis_cpu: float
    flower_cpu: float
    proxy_cpu: float
    redis_bytes: float
    log_bytes: int
    idle_memory: float
    peak_memory: float
    allowed_memory: float
    proxy_connections: int
    worker_processes: int


@dataclass(frozen=True, kw_only=True)
class WindowsSample(Sample):
    """One run of one row over the lab's Windows hosts; ``host_cpu`` is that of the lab's process.

    Attributes:
        requests: HTTP requests a host by verb, on average.
        most_requests: of the host that was asked most, all but those that wait for output.
    """

    requests: dict[str, float]
    most_requests: int


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Several figures of the same thing."""

    median: float
    least: float
    most: float


def spread(figures: Sequence[float]) -> Spread:
    """Median, least and most."""
    return Spread(median=median(figures), least=min(figures), most=max(figures))


class MachineShare:
    """What share of the machine's CPU others take, from its making to ``stop``."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before = processes.machine_cpu() - time.process_time()

    def stop(self) -> None:
        """End the span; what was one's own in it may become known later."""
        self._whole = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        self._busy = processes.machine_cpu() - time.process_time() - self._before

    def others(self, own: float) -> float:
        """The share, ``own`` CPU seconds and those of this process taken out."""
        return max(0.0, self._busy - own) / self._whole
