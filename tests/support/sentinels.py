"""A Redis that fails over, on loopback: a primary, a replica, and three Sentinels."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from workers.embedded_redis import LOOPBACK, find_server, free_port

NAME = "orders"
PASSWORD = "hunter2/and:more"  # noqa: S105 - of servers of these tests' own; its characters need encoding
_ENCODED = "hunter2%2Fand%3Amore"
DOWN_AFTER_SECONDS = 1.0
_START_SECONDS = 15.0


class FailoverRedis:
    """Its processes, by port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.servers = (free_port(), free_port())
        self.sentinels = (free_port(), free_port(), free_port())
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def url(self, database: int = 0) -> str:
        """The address of one of its databases, the password included."""
        places = ",".join(f"{LOOPBACK}:{port}" for port in self.sentinels)
        return f"redis+sentinel://:{_ENCODED}@{places}/{NAME}/{database}"

    def start(self) -> None:
        """Start all, and wait until each Sentinel knows the replica and the other Sentinels."""
        for port in self.servers:
            self.start_server(port)
        for port in self.sentinels:
            self._launch(port, self._sentinel_lines(), "--sentinel")
        for port in self.sentinels:
            self._wait(lambda port=port: self._is_ready(port), f"the Sentinel on {port}")

    def start_server(self, port: int) -> None:
        """Start one of the servers: a replica, unless it is the first and starts for the first time."""
        self._launch(port, self._server_lines(port))
        self._wait(lambda: bool(self.direct(port).ping()), f"the Redis on {port}")

    def primary(self) -> int:
        """Port of the primary, as most Sentinels say."""
        said = [self._asked(port).get(NAME, {}).get("port", 0) for port in self.sentinels if self._runs(port)]
        return max(said, key=said.count)

    def is_replica(self, port: int) -> bool:
        """Whether one of the servers follows another; False when it says nothing, as in the very change."""
        with contextlib.suppress(redis.RedisError), self.direct(port) as server:
            return str(server.info("replication")["role"]) == "slave"
        return False

    def kill(self, port: int) -> None:
        """End one of the processes with SIGKILL."""
        self._processes[port].kill()
        self._processes[port].wait()

    def signal(self, port: int, number: signal.Signals) -> None:
        """Let one of the processes stand still, or go on."""
        self._processes[port].send_signal(number)

    def end(self) -> None:
        """End whatever runs; nothing of it is to be kept."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def direct(self, port: int) -> redis.Redis:
        """A client of one server, whatever it is."""
        return redis.Redis(LOOPBACK, port, password=PASSWORD, socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def _runs(self, port: int) -> bool:
        return self._processes[port].poll() is None

    def _asked(self, port: int) -> dict[str, dict[str, int]]:
        with redis.Redis(LOOPBACK, port, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as sentinel:
            found: dict[str, dict[str, int]] = sentinel.sentinel_masters()
            return found

    def _is_ready(self, port: int) -> bool:
        state = self._asked(port)[NAME]
        return state["num-slaves"] == 1 and state["num-other-sentinels"] == len(self.sentinels) - 1

    def _launch(self, port: int, lines: list[str], *options: str) -> None:
        place = self._folder / str(port)
        place.mkdir(parents=True, exist_ok=True)
        configuration = place / "redis.conf"
        common = [f"bind {LOOPBACK}", f"port {port}", f"dir {place}", f"logfile {place}/log", "daemonize no"]
        configuration.write_text("\n".join([*common, *lines, ""]))
        self._processes[port] = subprocess.Popen(
            [find_server(), str(configuration), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _server_lines(self, port: int) -> list[str]:
        again = port in self._processes
        first = self.servers[0] if not again else self.primary()
        return [
            f"requirepass {PASSWORD}",
            f"masterauth {PASSWORD}",
            "appendonly yes",
            'save ""',
            "maxmemory-policy noeviction",
            "repl-diskless-sync-delay 0",
            *([f"replicaof {LOOPBACK} {first}"] if port != first else []),
        ]

    def _sentinel_lines(self) -> list[str]:
        return [
            f"sentinel monitor {NAME} {LOOPBACK} {self.servers[0]} 2",
            f"sentinel auth-pass {NAME} {PASSWORD}",
            f"sentinel down-after-milliseconds {NAME} {int(DOWN_AFTER_SECONDS * 1000)}",
            f"sentinel failover-timeout {NAME} 3000",
        ]

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                if condition():
                    return
            except redis.RedisError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {_START_SECONDS:.0f} s: {what}")
            time.sleep(0.05)


@contextmanager
def running_failover_redis(folder: Path) -> Iterator[FailoverRedis]:
    """All of it, for as long as the context."""
    made = FailoverRedis(folder)
    try:
        made.start()
        yield made
    finally:
        made.end()
