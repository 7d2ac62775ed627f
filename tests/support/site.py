"""A whole Longshore on loopback: a Redis, and real worker processes that tests may kill."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.record.connection import connect
from tasks.record.presence import Presence
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter
from tasks.record.views import WorkerView
from workers.embedded_redis import EmbeddedRedis, free_port
from workers.supervisor import worker_command

if TYPE_CHECKING:
    from redis import Redis

START_SECONDS = 30.0
ROOT = Path(__file__).resolve().parents[2]


class Site:
    """A Redis and its workers.

    Attributes:
        environment: what every process of this site gets, secrets for workers included.
    """

    def __init__(self, folder: Path, redis: EmbeddedRedis, settings: dict[str, str]) -> None:
        self.folder = folder
        self.redis = redis
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LONGSHORE_REDIS_URL": redis.url(0),
            "LONGSHORE_RECORD_URL": redis.url(1),
            **settings,
        }
        self.record: Redis = connect(redis.url(1))
        self.broker: Redis = connect(redis.url(0))
        self.writer = RecordWriter(self.record)
        self.reader = RecordReader(self.record)
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self, *pools: str, concurrency: int = 8, wrapper: tuple[str, ...] = ()) -> int:
        """Start one worker process, wait until it lives, and return its index in ``workers``."""
        name = f"w{len(self.workers)}@test"
        self.start([*wrapper, *worker_command(pools, concurrency=concurrency, name=name)], name=name)
        return len(self.workers) - 1

    def start(self, command: Sequence[str], *, name: str) -> subprocess.Popen[bytes]:
        """Start a worker by a command of one's own, and wait until ``name`` lives."""
        with (self.folder / f"worker-{len(self.workers)}.log").open("wb") as log:
            worker = subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=log, stderr=log)
        self.workers.append(worker)
        self.wait_for(lambda: name in {worker.name for worker in self.presence()}, name)
        return worker

    def presence(self) -> list[WorkerView]:
        """The workers that live."""
        return Presence(self.record).live()

    def end_worker(self, index: int, *, number: int = signal.SIGTERM) -> None:
        """Send a signal to one worker and wait for its end."""
        self.workers[index].send_signal(number)
        self.workers[index].wait(START_SECONDS)

    def longshore(self, *words: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        return subprocess.run(
            [sys.executable, "-m", "producer", *words],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
        """Wait until other processes have brought something about; fail loudly when it isn't in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:.0f} s: {what}\n{self.logs()}")
            time.sleep(0.02)

    def logs(self) -> str:
        """What the workers have logged."""
        paths = sorted(self.folder.glob("worker-*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')}" for path in paths)

    def end(self) -> None:
        """End every worker that still runs."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.terminate()
        for worker in self.workers:
            try:
                worker.wait(15.0)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self.record.close()
        self.broker.close()


@contextmanager
def running_site(folder: Path, *, password: str | None = None, **settings: str) -> Iterator[Site]:
    """A site in ``folder``; ``settings`` are variables of the environment, ``password`` is its Redis's."""
    with EmbeddedRedis(folder / "redis", port=free_port(), password=password) as redis:
        site = Site(folder, redis, settings)
        try:
            yield site
        finally:
            site.end()
