"""What is known of pools: what the fleet declares, which workers live, what waits. Pure."""

from collections.abc import Mapping, Sequence

from config.fleet import Fleet
from tasks.record.views import PoolView, WorkerView


def pool_names(fleet: Fleet | None, workers: Sequence[WorkerView]) -> list[str]:
    """The pools of the fleet in its order, and then those that only have workers."""
    declared = list(fleet.pools) if fleet else []
    return declared + sorted({worker.pool for worker in workers} - set(declared))


def pool_views(
    fleet: Fleet | None, workers: Sequence[WorkerView], waiting: Mapping[str, int]
) -> tuple[PoolView, ...]:
    """One view per pool.

    Args:
        fleet: tells the kinds; None when there is no fleet file.
        workers: those that live.
        waiting: pool to messages in its queue.
    """
    return tuple(
        _pool_view(name, fleet, [worker for worker in workers if worker.pool == name], waiting.get(name, 0))
        for name in pool_names(fleet, workers)
    )


def _pool_view(name: str, fleet: Fleet | None, workers: list[WorkerView], waiting: int) -> PoolView:
    declared = fleet.pools.get(name) if fleet else None
    return PoolView(
        name=name,
        kind=declared.kind if declared else None,
        workers=tuple(workers),
        slots=sum(worker.slots for worker in workers),
        busy=sum(worker.busy for worker in workers),
        waiting=waiting,
    )
