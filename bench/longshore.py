"""Longshore as its users run it: a fleet file, Redis, Flower, workers, the command line and the client."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis

from bench import namespace, processes
from bench.files import POOL, write_application
from bench.measure import Failure
from config.application import Application
from config.fleet import Fleet
from config.loading import load_application, load_fleet
from producer import Client
from producer.run import Run
from tasks.outcomes import RunState
from tasks.record.views import RunView
from workers.embedded_redis import EmbeddedRedis

_FLOWER = "http://127.0.0.1:5555"
_START_SECONDS = 60.0
_REPOSITORY = Path(__file__).parent.parent


def command() -> list[str]:
    """The command line of this environment."""
    script = Path(sys.executable).with_name("longshore")
    return (
        [str(script)] if script.exists() else [sys.executable, "-c", "from producer.cli import main; main()"]
    )


@dataclass(frozen=True, kw_only=True)
class Workers:
    """How workers are started.

    Attributes:
        commands: each starts one or several worker processes.
        processes: how many these are in all.
        slots: how many hosts they take on at once, all together.
    """

    commands: Sequence[Sequence[str]]
    processes: int
    slots: int


def workers_of(processes: int, threads: int) -> Workers:
    """Workers as ``longshore worker`` starts them."""
    options = ["--pool", POOL, "--processes", str(processes), "--concurrency", str(threads)]
    return Workers(
        commands=[[*command(), "worker", *options]], processes=processes, slots=processes * threads
    )


class Services:
    """Redis and Flower while the context lasts, and workers as often as they are asked for.

    Attributes:
        workers: how these are started.
    """

    def __init__(self, folder: Path, workers: Workers, *, with_flower: bool = True) -> None:
        self._folder = folder
        self._application = load_application(write_application(folder))
        self.workers = workers
        self._with_flower = with_flower
        self._stack = ExitStack()
        self._running: list[subprocess.Popen[bytes]] = []
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
        if self._with_flower:
            self._start_flower()

    def _start_flower(self) -> None:
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
        since = time.time()
        for each in self.workers.commands:
            self._running.append(self._start(each))
        for running in self._running:
            self._await("workers", running, lambda: self._slots_since(since) >= self.workers.slots)
        return tuple(number for running in self._running for number in processes.tree(running.pid))

    def stop_workers(self) -> None:
        """End the workers, if there are any."""
        while self._running:
            _end(self._running.pop())

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

    def deploy(self, fleet: Fleet, application: Application | None = None) -> Run:
        """Submit the deployment of ten steps, or of another application, to a fleet's only cluster."""
        return self._client.deploy(fleet, application or self._application, to=list(fleet.clusters))

    def wait(self, run: Run, seconds: float) -> RunView:
        """Wait until the newest run is over, asking seldom and little so as not to be in the way.

        Its hosts were verified before: else the newest may be the run that verifies them.

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
        workers = sum(processes.cpu_of_tree(running.pid) for running in self._running)
        flower = processes.cpu_of_tree(self._flower.pid) if self._flower else 0.0
        return workers, processes.cpu_of_tree(self._redis.pid or 0), flower

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
