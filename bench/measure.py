"""What is measured: samples, and how several of them are put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


class Failure(Exception):  # noqa: N818 - it ends one row, and the table says so
    """A row could not be measured; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One run of one row.

    Attributes:
        hosts: how many hosts it went over.
        seconds: wall time.
        client_cpu: CPU seconds of the tool, on the side that connects.
        host_cpu: CPU seconds of sshd and of what ran on the hosts.
        other_cpu: CPU seconds that the machine was busy with anything else meanwhile.
        reference: hosts per second of the reference row in the same round; None where it did not run.
    """

    hosts: int
    seconds: float
    client_cpu: float
    host_cpu: float
    other_cpu: float
    reference: float | None = None

    @property
    def rate(self) -> float:
        """Hosts per second."""
        return self.hosts / self.seconds


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Several figures of the same thing."""

    median: float
    least: float
    most: float


def spread(figures: Sequence[float]) -> Spread:
    """Median, least and most."""
    return Spread(median=median(figures), least=min(figures), most=max(figures))
