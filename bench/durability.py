"""What surviving costs: the share of a worker's CPU that goes to record, leases and events."""

import json
import sys
import time
from pathlib import Path

from bench import files, namespace, servers
from bench.lab import WARM_HOSTS, Lab
from bench.longshore import Services, Workers
from config.celery_settings import queue_name

HOSTS = 500
PARTS = ("record", "leases", "events")
_SETTLED_SECONDS = 1.5  # the worker has told its sums since


def measure(lab: Lab, hosts: int, *, threads: int) -> dict[str, float]:
    """One deployment of ten steps; the share of each part in the CPU of the worker that carried it out.

    Args:
        lab: where.
        hosts: how many.
        threads: of the one worker process.
    """
    servers.empty_homes()
    folder = namespace.RUN / "durability"
    folder.mkdir()
    files.write_fleets(folder, lab, [hosts])
    told = folder / "account.json"
    with Services(folder, _workers(told, threads)) as services:
        services.start_workers()
        for size in (WARM_HOSTS, hosts):
            services.verify(files.cluster("direct", size), 60.0 + hosts)
        services.start_workers()
        services.wait(services.deploy(services.fleet(files.cluster("direct", WARM_HOSTS))), 60.0)
        before = _told(told)
        services.wait(services.deploy(services.fleet(files.cluster("direct", hosts))), 60.0 + hosts)
        after = _told(told)
    whole = after["process"] - before["process"]
    return {part: (after[part] - before[part]) / whole for part in PARTS}


def _workers(told: Path, threads: int) -> Workers:
    command = [sys.executable, "-m", "bench.accounted", str(told), "--queues", queue_name(files.POOL)]
    return Workers(
        commands=[[*command, "--concurrency", str(threads), "--name", "w@bench"]], processes=1, slots=threads
    )


def _told(path: Path) -> dict[str, float]:
    time.sleep(_SETTLED_SECONDS)
    found: dict[str, float] = json.loads(path.read_text())
    return found
