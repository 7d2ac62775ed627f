"""Longshore as its users run it: a fleet file, Redis, Flower, workers, the command line and the client."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis

from bench import namespace, processes, servers
from bench.lab import WARM_HOSTS, Lab
from bench.measure import Failure
from config.fleet import Fleet
from config.loading import load_application, load_fleet
from producer import Client
from producer.run import Run
from tasks.outcomes import RunState
from tasks.record.views import RunView
from workers.embedded_redis import EmbeddedRedis

STEPS = 10
STEP_OUTPUT = "x" * 100  # ten of them, with their newlines, are the 1 KB of logs that the target speaks of
_POOL = "official"
_FLOWER = "http://127.0.0.1:5555"
_START_SECONDS = 60.0
_REPOSITORY = Path(__file__).parent.parent


def command() -> list[str]:
    """The command line of this environment."""
    script = Path(sys.executable).with_name("longshore")
    return (
        [str(script)] if script.exists() else [sys.executable, "-c", "from producer.cli import main; main()"]
    )


def cluster(route: str, size: int) -> str:
    """The name of the cluster with ``size`` hosts behind ``route`` (``direct`` or ``proxied``)."""
    return f"{route}-{size}"


def write_fleets(folder: Path, lab: Lab, sizes: Sequence[int]) -> None:
    """A fleet for each route and size, of one cluster; and one for each route to warm workers up with."""
    proxy = {
        "os": "linux", "address": servers.PROXY_ADDRESS, "port": servers.PROXY_PORT, "credential": "lab",
        "host_key": [lab.proxy.public_key],
    }  # fmt: skip
    ranges = {size: range(size) for size in sizes}
    ranges[WARM_HOSTS] = range(max(sizes), max(sizes) + WARM_HOSTS)
    for route, more in {"direct": {}, "proxied": {"proxy": "bastion"}}.items():
        for size, indexes in ranges.items():
            name = cluster(route, size)
            hosts = {f"{name}-{index:04}": servers.host_address(index) for index in indexes}
            document = {
                "pools": {_POOL: {"kind": "official"}},
                "credentials": {"lab": {"user": namespace.USER, "key_file": str(lab.key_file)}},
                "proxies": {"bastion": proxy},
                "clusters": {
                    name: {"os": "linux", "pool": _POOL, "credential": "lab", **more, "hosts": hosts}
                },
            }
            _write(folder / f"{name}.yaml", document)


def write_large_fleet(folder: Path, hosts: int) -> Path:
    """A fleet of one cluster, ``large``, whose hosts nobody will ask for."""
    addresses = {
        f"host-{index:05}": f"10.{index >> 16}.{index >> 8 & 255}.{index & 255}" for index in range(hosts)
    }
    document = {
        "pools": {_POOL: {"kind": "official"}},
        "credentials": {"lab": {"user": namespace.USER, "key_file": "key"}},
        "clusters": {"large": {"os": "linux", "pool": _POOL, "credential": "lab", "hosts": addresses}},
    }
    return _write(folder / "large.yaml", document)


def write_application(folder: Path) -> Path:
    """Ten steps of ``echo``, in one batch."""
    actions = [{"run": f"echo {STEP_OUTPUT}", "name": f"step {number}"} for number in range(STEPS)]
    document = {"application": "bench", "actions": actions, "rollout": {"batches": ["100%"]}}
    return _write(folder / "bench.yaml", document)


def _write(path: Path, document: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
    return path


class Services:
    """Redis and Flower while the context lasts, and workers as often as they are asked for.

    Attributes:
        processes: worker processes.
    """

    def __init__(self, folder: Path, *, worker_processes: int, threads: int) -> None:
        self._folder = folder
        self._application = load_application(write_application(folder))
        self.processes = worker_processes
        self._threads = threads
        self._stack = ExitStack()
        self._workers: subprocess.Popen[bytes] | None = None
        self._flower: subprocess.Popen[bytes] | None = None
        self._redis = EmbeddedRedis(folder / "redis")

    def __enter__(self) -> Self:
        try:
            self._enter()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _enter(self) -> None:
        self._stack.enter_context(self._redis)
        os.environ["LONGSHORE_REDIS_URL"] = self._redis.url(0)
        os.environ["LONGSHORE_RECORD_URL"] = self._redis.url(1)
        self._stack.callback(self.stop_workers)
        self._stores = [
            self._stack.enter_context(Redis.from_url(self._redis.url(number))) for number in (0, 1)
        ]
        self._client = self._stack.enter_context(Client())
        flower = ["-m", "celery", "-A", "workers.app", "flower", "--address=127.0.0.1", "--port=5555"]
        self._flower = self._start([sys.executable, *flower])
        self._stack.callback(_end, self._flower)
        self._await("Flower", self._flower, _flower_answers)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start_workers(self) -> tuple[int, ...]:
        """Start workers afresh, so that no connection to a host is left from before.

        Returns:
            Their processes.
        """
        self.stop_workers()
        options = ["--pool", _POOL, "--processes", str(self.processes), "--concurrency", str(self._threads)]
        since = time.time()
        workers = self._workers = self._start([*command(), "worker", *options])
        self._await("workers", workers, lambda: self._slots_since(since) >= self.processes * self._threads)
        return processes.tree(workers.pid)

    def stop_workers(self) -> None:
        """End the workers, if there are any."""
        running, self._workers = self._workers, None
        if running is not None:
            _end(running)

    def _slots_since(self, when: float) -> int:
        """Free slots of workers that have given a sign of life since."""
        workers = [worker for pool in self._client.pools() for worker in pool.workers]
        return sum(worker.slots - worker.busy for worker in workers if worker.seen >= when)

    def _await(self, what: str, process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
        """Wait until a service is ready, no longer than it lives.

        Raises:
            Failure: it ended, or it was not ready in time.
        """
        try:
            namespace.wait_for(what, lambda: process.poll() is not None or ready(), _START_SECONDS)
        except TimeoutError as error:
            raise Failure(str(error)) from error
        if process.returncode is not None:
            raise Failure(f"{what} ended with exit code {process.returncode}: {self._log()[-500:]}")

    def _start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self._folder / "services.log").open("ab") as log:
            return subprocess.Popen(
                arguments,
                cwd=_REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def verify(self, name: str, seconds: float) -> None:
        """Verify a cluster with the command line; its hosts' keys are pinned then.

        Raises:
            Failure: it did not end well.
        """
        arguments = [*command(), "verify", name, "--fleet", str(self._folder / f"{name}.yaml"), "--json"]
        try:
            done = subprocess.run(
                arguments, cwd=_REPOSITORY, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Failure(f"verifying {name} was not done after {seconds:.0f} s") from error
        if done.returncode != 0:
            words = done.stderr.strip().splitlines() or self._log().splitlines() or ["it said nothing"]
            raise Failure(f"verifying {name}: exit code {done.returncode}: {words[-1]}")

    def fleet(self, name: str) -> Fleet:
        """A cluster's fleet, loaded; a deployment's time starts after that."""
        return load_fleet(self._folder / f"{name}.yaml")

    def deploy(self, fleet: Fleet) -> Run:
        """Submit the deployment to a fleet's only cluster."""
        return self._client.deploy(fleet, self._application, to=list(fleet.clusters))

    def wait(self, run: Run, seconds: float) -> RunView:
        """Wait until a run is over, asking seldom and little so as not to be in the way.

        Raises:
            Failure: it did not succeed, or it was not over after ``seconds``.
        """
        end = time.monotonic() + seconds
        while not self._client.runs(limit=1)[0].state.ended:
            if time.monotonic() > end:
                raise Failure(f"run {run.id} was not over after {seconds:.0f} s")
            time.sleep(0.2)
        view = run.view()
        if view.state is not RunState.SUCCEEDED:
            raise Failure(f"run {run.id} {view.state}: {_first_trouble(view)}")
        return view

    def memory(self) -> int:
        """Bytes of all that Redis keeps, key by key: its total also holds buffers, which come and go."""
        return sum(_bytes_of_keys(store) for store in self._stores)

    def cpu(self) -> tuple[float, float, float]:
        """CPU seconds of workers, Redis and Flower."""
        roots = (
            self._workers.pid if self._workers else 0,
            self._redis.pid or 0,
            self._flower.pid if self._flower else 0,
        )
        workers, redis, flower = (processes.cpu_of_tree(root) for root in roots)
        return workers, redis, flower

    def _log(self) -> str:
        return (self._folder / "services.log").read_text(encoding="utf-8", errors="replace").strip()


def _bytes_of_keys(store: Redis) -> int:
    with store.pipeline(transaction=False) as pipeline:
        for key in store.scan_iter(count=1000):
            pipeline.memory_usage(key, samples=0)
        return sum(size or 0 for size in pipeline.execute())  # None for a key that has gone since


def _flower_answers() -> bool:
    try:
        with urllib.request.urlopen(f"{_FLOWER}/healthcheck", timeout=2) as answer:  # noqa: S310 - a fixed address
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
    except (urllib.error.URLError, OSError):
        return False


def _first_trouble(view: RunView) -> str:
    hosts = [host for batch in view.batches for host in batch.hosts if host.outcome != "ok"]
    return f"{len(hosts)} hosts; {hosts[0].name}: {hosts[0].message}" if hosts else "no host failed"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end; kill what is left of its tree after a while."""
    family = processes.tree(process.pid)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    for number in family:
        with suppress(ProcessLookupError):  # nobody else takes a number so soon in a namespace of our own
            os.kill(number, signal.SIGKILL)
    process.wait()
