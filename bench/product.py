"""Longshore's rows: a fleet is verified, and its deployments are measured."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median

from bench import durability, files, longshore, namespace, processes, servers, targets
from bench.files import STEP_OUTPUT, STEPS, cluster
from bench.lab import WARM_HOSTS, Lab
from bench.longshore import Services
from bench.measure import Failure, MachineShare, ProductSample
from bench.rounds import Contender
from bench.watching import Watch
from config.fleet import Fleet
from config.loading import load_application, load_fleet
from tasks.planning import plan_deployment

_TITLES = {targets.DIRECT: "Longshore, 10 steps", targets.PROXIED: "Longshore, 10 steps, via proxy"}
_ROUTES = {targets.DIRECT: "direct", targets.PROXIED: "proxied"}
_PLANNED_HOSTS = 10_000
_HELP_RUNS = 10


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be measured.

    Attributes:
        rows: names of rows.
        sizes: numbers of hosts.
        processes: worker processes.
        threads: of each.
    """

    rows: Sequence[str]
    sizes: Sequence[int]
    processes: int
    threads: int


@contextmanager
def running(lab: Lab, wish: Wish) -> Iterator[list[Contender]]:
    """Start Redis and Flower and verify every host; the contenders given then measure deployments."""
    folder = namespace.RUN / "longshore"
    folder.mkdir()
    files.write_fleets(folder, lab, wish.sizes)
    with Services(folder, longshore.workers_of(wish.processes, wish.threads)) as services:
        services.start_workers()
        for row in wish.rows:
            for size in (WARM_HOSTS, *wish.sizes):
                services.verify(cluster(_ROUTES[row], size), _limit(size))
        services.stop_workers()  # with the connections that they keep, which would be open under the peers
        yield [
            Contender(
                name=row,
                title=_TITLES[row],
                most=None,
                rounds=100,
                measure=partial(_measure, lab, services, row),
            )
            for row in wish.rows
        ]


def _limit(size: int) -> float:
    return 60.0 + 0.5 * size


def _measure(lab: Lab, services: Services, row: str, count: int) -> ProductSample:
    """One deployment with workers that are warm and hold no connection to a measured host."""
    route = _ROUTES[row]
    servers.empty_homes()
    workers = services.start_workers()
    try:
        services.wait(services.deploy(services.fleet(cluster(route, WARM_HOSTS))), _limit(WARM_HOSTS))
        return _watched(lab, services, workers, services.fleet(cluster(route, count)))
    finally:
        services.stop_workers()


def _watched(lab: Lab, services: Services, workers: tuple[int, ...], fleet: Fleet) -> ProductSample:
    count = sum(len(each.hosts) for each in fleet.clusters.values())
    idle = max(processes.memory(worker) for worker in workers)
    kept, hosts_before, proxy_before = services.memory(), lab.hosts.cpu_at_rest(), lab.proxy.cpu()
    cpu, share = services.cpu(), MachineShare()
    with Watch(workers) as watch:
        began, submitted = time.monotonic(), time.time()
        finished = services.wait(services.deploy(fleet), _limit(count)).finished
    spent = [after - before for before, after in zip(cpu, services.cpu(), strict=True)]
    proxy_cpu = lab.proxy.cpu() - proxy_before
    share.stop()
    kept = services.memory() - kept
    # Their kept connections are sessions on the hosts, whose time is told when they have ended. Ending them
    # comes after the share's span and is taken out of it all the same: about 2 % of it.
    services.stop_workers()
    host_cpu = lab.hosts.cpu_at_rest() - hosts_before
    if watch.first_host is None or finished is None:
        raise Failure("no connection to a host was seen")
    return ProductSample(
        hosts=count,
        seconds=finished - submitted,
        client_cpu=spent[0],
        redis_cpu=spent[1],
        flower_cpu=spent[2],
        host_cpu=host_cpu,
        proxy_cpu=proxy_cpu,
        others=share.others(sum(spent) + host_cpu + proxy_cpu),
        first_host=watch.first_host - began,
        redis_bytes=kept,
        log_bytes=count * STEPS * (len(STEP_OUTPUT) + 1),
        idle_memory=idle,
        peak_memory=watch.peak_memory,
        allowed_memory=watch.allowed_memory,
        proxy_connections=len(watch.to_proxy),
        worker_processes=services.workers.processes,
    )


def single_figures(lab: Lab, wish: Wish) -> targets.Single:
    """What is measured once: planning, the command line's start, and what surviving costs."""
    hosts = min(durability.HOSTS, max(wish.sizes))
    return targets.Single(
        planning=_seconds_to_plan(),
        help=_seconds_to_help(),
        durability=durability.measure(lab, hosts, threads=wish.threads),
    )


def _seconds_to_help() -> float:
    took = []
    for _ in range(_HELP_RUNS):
        began = time.monotonic()
        subprocess.run([*longshore.command(), "--help"], check=True, capture_output=True, timeout=30)
        took.append(time.monotonic() - began)
    return median(took)


def _seconds_to_plan() -> float:
    folder = namespace.RUN / "longshore"
    fleet = load_fleet(files.write_large_fleet(folder, _PLANNED_HOSTS))
    application = load_application(folder / "bench.yaml")
    began = time.monotonic()
    plan_deployment(fleet, application, ["large"], {})
    return time.monotonic() - began
