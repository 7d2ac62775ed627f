"""What must be reached, and whether it was."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from bench.measure import ProductSample
from bench.rounds import Row

RATE_OF_REFERENCE = 0.6
WORKER_MILLISECONDS = 16.0
REDIS_BYTES = 6 * 1024
BASE_MEGABYTES = 100.0
CONNECTION_MEGABYTES = 0.5
PROXY_RATE = 0.5
GROWTH = 1.2
PLANNING_SECONDS = 1.0
HELP_SECONDS = 0.4
FIRST_HOST_SECONDS = 1.0
DURABILITY_SHARE = 0.25

DIRECT = "longshore-direct"
PROXIED = "longshore-proxied"
ROWS = (DIRECT, PROXIED)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One target.

    Attributes:
        reached: None when it was not measured.
    """

    target: str
    wanted: str
    measured: str
    reached: bool | None


@dataclass(frozen=True, kw_only=True)
class Single:
    """What is measured once: seconds, and shares of a worker's CPU by part; None when not measured."""

    planning: float | None = None
    help: float | None = None
    durability: dict[str, float] | None = None


def judge(rows: Sequence[Row], single: Single) -> list[Verdict]:
    """Hold what was measured against every target."""
    direct, proxied = _of(rows, DIRECT), _of(rows, PROXIED)
    verdicts: list[Verdict] = []
    for size, samples in direct.items():
        verdicts.extend(_of_one_size(size, samples))
    for size, samples in proxied.items():
        verdicts.extend(_of_proxy(size, samples, direct.get(size, [])))
    verdicts.extend(_of_growth(direct))
    verdicts.append(_seconds("planning 10,000 hosts", single.planning, PLANNING_SECONDS))
    verdicts.append(_durability(single.durability))
    verdicts.append(_seconds("longshore --help", single.help, HELP_SECONDS))
    return verdicts


def _of(rows: Sequence[Row], name: str) -> dict[int, list[ProductSample]]:
    return {
        row.asked: [sample for sample in row.samples if isinstance(sample, ProductSample)]
        for row in rows
        if row.name == name
    }


def figure(
    target: str,
    samples: Sequence[T],
    of: Callable[[T], float | None],
    wanted: float,
    unit: str,
    *,
    least: bool = False,
) -> Verdict:
    """A median against a bound; ``least`` when more is better."""
    figures = [found for sample in samples if (found := of(sample)) is not None]
    text = f"{'at least' if least else 'at most'} {wanted:g}{unit}"
    if not figures:
        return Verdict(target=target, wanted=text, measured="-", reached=None)
    middle = median(figures)
    reached = middle >= wanted if least else middle <= wanted
    measured = f"{middle:.2f}{unit} ({min(figures):.2f}-{max(figures):.2f})"
    return Verdict(target=target, wanted=text, measured=measured, reached=reached)


def _of_one_size(size: int, samples: Sequence[ProductSample]) -> list[Verdict]:
    at = f", {size} hosts"
    return [
        figure(
            f"rate of paramiko's one exec{at}", samples, lambda s: s.ratio, RATE_OF_REFERENCE, "", least=True
        ),
        figure(
            f"CPU in workers per host{at}",
            samples,
            lambda s: 1000 * s.client_cpu / s.hosts,
            WORKER_MILLISECONDS,
            " ms",
        ),
        figure(
            f"Redis per host and run{at}",
            samples,
            lambda s: s.redis_bytes / s.hosts / 1024,
            REDIS_BYTES / 1024,
            " KB",
        ),
        _memory(size, samples),
        figure(f"first host under way{at}", samples, lambda s: s.first_host, FIRST_HOST_SECONDS, " s"),
    ]


def _memory(size: int, samples: Sequence[ProductSample]) -> Verdict:
    wanted = f"at most {BASE_MEGABYTES:g} MB + {CONNECTION_MEGABYTES:g} MB a connection"
    target = f"memory of a worker process, {size} hosts"
    if not samples:
        return Verdict(target=target, wanted=wanted, measured="-", reached=None)
    worst = max(samples, key=lambda sample: sample.peak_memory - sample.allowed_memory)
    measured = f"{worst.peak_memory:.0f} of {worst.allowed_memory:.0f} MB ({worst.idle_memory:.0f} MB idle)"
    return Verdict(
        target=target, wanted=wanted, measured=measured, reached=worst.peak_memory <= worst.allowed_memory
    )


def _of_proxy(size: int, proxied: Sequence[ProductSample], direct: Sequence[ProductSample]) -> list[Verdict]:
    straight = median(sample.rate for sample in direct) if direct else None
    rate = figure(
        f"rate through a proxy, of the direct rate, {size} hosts",
        proxied,
        lambda sample: None if straight is None else sample.rate / straight,
        PROXY_RATE,
        "",
        least=True,
    )
    target, wanted = f"connections to the proxy, {size} hosts", "one per worker process"
    if not proxied:
        return [rate, Verdict(target=target, wanted=wanted, measured="-", reached=None)]
    worst = max(proxied, key=lambda sample: sample.proxy_connections - sample.worker_processes)
    measured = f"{worst.proxy_connections} of {worst.worker_processes} processes"
    reached = 1 <= worst.proxy_connections <= worst.worker_processes
    return [rate, Verdict(target=target, wanted=wanted, measured=measured, reached=reached)]


def _of_growth(direct: dict[int, list[ProductSample]]) -> list[Verdict]:
    sizes = sorted(size for size, samples in direct.items() if samples)
    if len(sizes) < 2:  # noqa: PLR2004 - growth is between two sizes
        text = f"at most {GROWTH:g}"
        return [
            Verdict(target="cost per host, most hosts to fewest", wanted=text, measured="-", reached=None)
        ]
    few, many = sizes[0], sizes[-1]
    cheap = median(sample.client_cpu / sample.hosts for sample in direct[few])
    quick = median(sample.seconds / sample.hosts for sample in direct[few])
    between = f"per host, {many} hosts to {few}"
    return [
        figure(f"CPU {between}", direct[many], lambda s: s.client_cpu / s.hosts / cheap, GROWTH, ""),
        figure(f"time {between}", direct[many], lambda s: s.seconds / s.hosts / quick, GROWTH, ""),
    ]


def _durability(shares: dict[str, float] | None) -> Verdict:
    target, wanted = "worker's CPU for record, leases and events", f"at most {DURABILITY_SHARE:.0%}"
    if shares is None:
        return Verdict(target=target, wanted=wanted, measured="-", reached=None)
    whole = sum(shares.values())
    parts = ", ".join(f"{part} {share:.0%}" for part, share in shares.items())
    return Verdict(
        target=target, wanted=wanted, measured=f"{whole:.0%} ({parts})", reached=whole <= DURABILITY_SHARE
    )


def _seconds(target: str, measured: float | None, wanted: float) -> Verdict:
    return Verdict(
        target=target,
        wanted=f"under {wanted:g} s",
        measured="-" if measured is None else f"{measured:.2f} s",
        reached=None if measured is None else measured < wanted,
    )
