"""Watching worker processes while they work: their connections, their memory, and the first host."""

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import processes, servers, targets

_UNTIL_FIRST_HOST, _AFTER_IT = 0.02, 0.5
"""Seconds between two looks. Each reads every connection there is, at the expense of what is measured."""
_ESTABLISHED = "01"


@dataclass(frozen=True, kw_only=True)
class Connection:
    """One TCP connection, seen from the side that opened it."""

    port: int
    inode: str
    local: str


def connections() -> list[Connection]:
    """Established connections of this network namespace to hosts and to the proxy."""
    wanted = {servers.HOST_PORT, servers.WARM_PORT, servers.PROXY_PORT}
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    found = []
    for line in lines:
        fields = line.split()
        port = int(fields[2].rpartition(":")[2], 16)
        if fields[3] == _ESTABLISHED and port in wanted:
            found.append(Connection(port=port, inode=fields[9], local=fields[1]))
    return found


def _inodes(process: int) -> set[str]:
    held = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for entry in os.scandir(f"/proc/{process}/fd"):
            with suppress(FileNotFoundError):
                target = str(Path(entry.path).readlink())
                if target.startswith("socket:["):
                    held.add(target[len("socket:[") : -1])
    return held


class Watch:
    """Watches from entering to leaving; afterwards its attributes tell what was seen.

    Attributes:
        first_host: monotonic time of the first connection to a host or the proxy; None when there was none.
        to_proxy: the connections to the proxy that were seen.
        peak_memory: most megabytes that a process had.
        allowed_memory: what that process may have had, with the connections that it had at most.
    """

    def __init__(self, workers: Sequence[int]) -> None:
        self.first_host: float | None = None
        self.to_proxy: set[str] = set()
        self.peak_memory = 0.0
        self.allowed_memory = targets.BASE_MEGABYTES
        self._peak = dict.fromkeys(workers, 0.0)
        self._most = dict.fromkeys(workers, 0)
        self._known = {connection.local for connection in connections()}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        # The largest: a supervisor, which has no connections, would always come nearest to its allowance.
        worker = max(self._peak, key=lambda one: self._peak[one])
        self.peak_memory, self.allowed_memory = self._peak[worker], self._allowed(worker)

    def _allowed(self, worker: int) -> float:
        return targets.BASE_MEGABYTES + targets.CONNECTION_MEGABYTES * self._most[worker]

    def _run(self) -> None:
        while not self._over.is_set():
            seen = connections()
            if self.first_host is None and any(one.local not in self._known for one in seen):
                self.first_host = time.monotonic()
            self.to_proxy |= {one.local for one in seen if one.port == servers.PROXY_PORT}
            if self.first_host is not None:
                self._look_at_workers({one.inode for one in seen})
            self._over.wait(_UNTIL_FIRST_HOST if self.first_host is None else _AFTER_IT)

    def _look_at_workers(self, inodes: set[str]) -> None:
        for worker in self._peak:
            self._peak[worker] = max(self._peak[worker], processes.memory(worker))
            self._most[worker] = max(self._most[worker], len(_inodes(worker) & inodes))
