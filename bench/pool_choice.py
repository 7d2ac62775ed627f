"""Which of Celery's pools, and how many at once: one deployment of ten steps to 200 hosts with each.

``python -m bench.pool_choice`` (root), apart from the bench: the figures behind docs/decisions/0004. The
variants take turns, so that a machine that drifts does so for all of them.
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import files, namespace, processes, servers
from bench.lab import Lab, make_lab
from bench.longshore import Services, Workers
from bench.measure import Failure
from config.celery_settings import queue_name

HOSTS = 200
_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A pool of Celery's, started by Celery's own command line.

    Attributes:
        pool: Celery's name for it.
        at_once: hosts at once in each worker.
        workers: how many are started.
    """

    pool: str
    at_once: int
    workers: int = 1

    def __str__(self) -> str:
        many = f"{self.workers} processes of " if self.workers > 1 else ""
        return f"{self.pool}, {many}{self.at_once}"

    def start(self) -> Workers:
        """How its workers are started."""
        celery = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "-Q", queue_name(files.POOL)]
        options = ["-P", self.pool, "-c", str(self.at_once)]
        return Workers(
            commands=[[*celery, *options, "-n", f"w{index}@bench"] for index in range(self.workers)],
            processes=self.workers,
            slots=self.workers * self.at_once,
        )


VARIANTS = (
    Variant(pool="threads", at_once=16),
    Variant(pool="threads", at_once=32),
    Variant(pool="threads", at_once=64),
    Variant(pool="threads", at_once=16, workers=2),
    Variant(pool="prefork", at_once=2),
    Variant(pool="prefork", at_once=16),
)


@dataclass(frozen=True, kw_only=True)
class _Figures:
    """Hosts per second, CPU of the workers in ms per host, and their memory in MB."""

    rate: float
    cpu: float
    memory: float


def main() -> int:
    """Measure every variant in turns, and print medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.pool_choice", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    if not asked.inside:
        return namespace.enter("bench.pool_choice", sys.argv[1:], 3600)
    os.environ["LONGSHORE_CONNECTION_IDLE"] = "0.01"  # every deployment connects anew
    lab = make_lab(HOSTS, at_once=max(variant.at_once for variant in VARIANTS))
    seen: dict[Variant, list[_Figures]] = {variant: [] for variant in VARIANTS}
    for number in range(asked.rounds):
        for variant, figures in seen.items():
            folder = namespace.RUN / f"{number}-{VARIANTS.index(variant)}"
            folder.mkdir()
            figures.append(_measure(lab, folder, variant))
    _show(seen)
    return 0


def _measure(lab: Lab, folder: Path, variant: Variant) -> _Figures:
    servers.empty_homes()
    files.write_fleets(folder, lab, [HOSTS])
    name = files.cluster("direct", HOSTS)
    with Services(folder, variant.start(), with_flower=False) as services:
        workers = services.start_workers()
        services.verify(name, _SECONDS)
        fleet = services.fleet(name)
        before, submitted = services.cpu()[0], time.time()
        finished = services.wait(services.deploy(fleet), _SECONDS).finished
        if finished is None:
            raise Failure("the run has ended and doesn't say when")
        cpu = services.cpu()[0] - before
        memory = sum(processes.memory(each) for each in workers)
    return _Figures(rate=HOSTS / (finished - submitted), cpu=1000 * cpu / HOSTS, memory=memory)


def _show(seen: dict[Variant, list[_Figures]]) -> None:
    print(f"{'variant':28} {'hosts/s':>16} {'worker ms/host':>16} {'memory MB':>10}")
    for variant, figures in seen.items():
        rates = [each.rate for each in figures]
        spread = f"{median(rates):.1f} ({min(rates):.0f}-{max(rates):.0f})"
        cpu, memory = median(each.cpu for each in figures), median(each.memory for each in figures)
        print(f"{variant!s:28} {spread:>16} {cpu:16.1f} {memory:10.0f}")


if __name__ == "__main__":
    sys.exit(main())
