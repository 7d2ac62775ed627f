"""Which workers live: each process says so every few seconds."""

from typing import TYPE_CHECKING

from tasks.record import keys
from tasks.record.views import WorkerView

if TYPE_CHECKING:
    from redis import Redis

ALIVE_SECONDS = 15.0
FORGOTTEN_SECONDS = 86_400.0


class Presence:
    """Workers' signs of life."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    def announce(self, *, name: str, pool: str, version: str, slots: int, busy: int) -> None:
        """Say that a worker process lives; a worker of several pools says so for each."""
        view = WorkerView(name=name, pool=pool, version=version, slots=slots, busy=busy, seen=self._now())
        self._redis.hset(keys.WORKERS, f"{pool} {name}", view.model_dump_json())

    def leave(self, *, name: str, pool: str) -> None:
        """Say that it is going."""
        self._redis.hdel(keys.WORKERS, f"{pool} {name}")

    def forget_dead(self) -> None:
        """Forget workers that died without a goodbye a day ago."""
        oldest = self._now() - FORGOTTEN_SECONDS
        for name, raw in self._redis.hgetall(keys.WORKERS).items():
            if WorkerView.model_validate_json(raw).seen < oldest:
                self._redis.hdel(keys.WORKERS, name)

    def live(self) -> list[WorkerView]:
        """Workers seen within ``ALIVE_SECONDS``, by pool and name."""
        oldest = self._now() - ALIVE_SECONDS
        views = [WorkerView.model_validate_json(raw) for raw in self._redis.hvals(keys.WORKERS)]
        return sorted(
            (view for view in views if view.seen >= oldest), key=lambda view: (view.pool, view.name)
        )

    def _now(self) -> float:
        seconds, microseconds = self._redis.time()
        return float(seconds) + float(microseconds) / 1e6
