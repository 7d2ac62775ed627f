"""Which of Celery's pools, and how many at once: one deployment of ten steps to 200 loopback hosts with each.

Run from the repository's root, as root: ``python -m bench.pool_choice [rounds]``. The variants take turns, so
that a machine that drifts does so for all of them.
"""

import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from producer import Client
from tests.support.site import Site, running_site
from tests.support.sshd import Account, Sshd, running_servers, temporary_account
from tests.support.yaml_files import application_of, fleet_of, write_yaml

HOSTS = 200
VARIANTS = {
    "threads, 16": ("threads", 16, 1),
    "threads, 32": ("threads", 32, 1),
    "threads, 64": ("threads", 64, 1),
    "threads, 2 processes of 16": ("threads", 16, 2),
    "prefork, 2": ("prefork", 2, 1),
    "prefork, 16": ("prefork", 16, 1),
}


def main(rounds: int) -> None:
    """Measure every variant ``rounds`` times, and print medians."""
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in VARIANTS}
    with temporary_account() as account, running_servers(account) as make:
        sshd = make(options={"LogLevel": "INFO"})
        for number in range(rounds):
            for name, variant in VARIANTS.items():
                figures[name].append(
                    _measure(account, sshd, f"{number}-{len(figures[name])}-{name}", *variant)
                )
    print(f"{'variant':28} {'hosts/s':>16} {'worker ms/host':>16} {'memory MB':>10}")
    for name, runs in figures.items():
        rates, costs, memory = zip(*runs, strict=True)
        spread = f"{statistics.median(rates):.1f} ({min(rates):.0f}-{max(rates):.0f})"
        print(f"{name:28} {spread:>16} {statistics.median(costs):16.1f} {statistics.median(memory):10.0f}")


def _measure(
    account: Account, sshd: Sshd, label: str, pool: str, at_once: int, processes: int
) -> tuple[float, float, float]:
    """Hosts/s, CPU of the workers in ms per host, and their memory in MB."""
    home = account.home / label.replace(" ", "").replace(",", "")
    home.mkdir()
    home.chmod(0o777)
    with tempfile.TemporaryDirectory() as folder, running_site(Path(folder)) as site:
        fleet = write_yaml(Path(folder, "fleet.yaml"), fleet_of(sshd, HOSTS, home=home))
        echoes = [{"run": f"echo step {index}"} for index in range(10)]
        shop = write_yaml(Path(folder, "shop.yaml"), application_of(*echoes))
        site.environment["LONGSHORE_CONNECTION_IDLE"] = "0.01"
        for index in range(processes):
            command = [
                sys.executable,
                "-m",
                "celery",
                "-A",
                "workers.app",
                "worker",
                "-Q",
                "longshore.official",
            ]
            site.start(
                [*command, "-P", pool, "-c", str(at_once), "-n", f"w{index}@test"], name=f"w{index}@test"
            )
        with Client(site.redis.url(0), site.redis.url(1)) as client:
            client.verify(fleet, "web").wait()
            before, began = _cpu(site), time.monotonic()
            view = client.deploy(fleet, shop, "web", {}).wait()
            seconds = time.monotonic() - began
            assert view.state == "succeeded", view.reason  # noqa: S101 - a bench of failures measures nothing
            return HOSTS / seconds, (_cpu(site) - before) * 1000 / HOSTS, _memory(site)


def _processes(site: Site) -> list[psutil.Process]:
    parents = [psutil.Process(worker.pid) for worker in site.workers]
    return parents + [child for parent in parents for child in parent.children(recursive=True)]


def _cpu(site: Site) -> float:
    total = 0.0
    for process in _processes(site):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _memory(site: Site) -> float:
    return sum(process.memory_info().rss for process in _processes(site)) / 1e6


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
