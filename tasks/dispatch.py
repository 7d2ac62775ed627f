"""Sends messages: ids only, with texts that make Flower read like a deployment board."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from config.celery_settings import queue_name
from config.targets import HostTarget

if TYPE_CHECKING:
    from celery import Celery
    from kombu.messaging import Producer

ADVANCE = "longshore.advance"
MESSAGES_AT_ONCE = 64
HOST_TASKS = {"verification": "longshore.verify_host", "deployment": "longshore.deploy_host"}


class Dispatcher:
    """Sends a run's messages through one Celery app."""

    def __init__(
        self, app: "Celery", *, live_pools: Callable[[], set[str]], parent: str | None = None
    ) -> None:
        self._app = app
        self._live_pools = live_pools
        self._parent = parent

    def gate(self, run_id: str, *, title: str, pools: Sequence[str]) -> None:
        """Send the message that lets a run's gate decide, to one of its pools that lives, else the first."""
        live = self._live_pools() if len(pools) > 1 else set()
        pool = next((pool for pool in pools if pool in live), pools[0])
        with self._app.producer_pool.acquire(block=True) as producer:
            self._send(producer, ADVANCE, (run_id,), pool, f"{title} · gate · run {run_id}")

    def hosts(self, run_id: str, kind: str, targets: Iterable[HostTarget], *, title: str, batch: str) -> None:
        """Send one message per host, each to its own pool."""
        with (
            self._app.producer_pool.acquire(block=True) as producer,
            # One round trip for many; small enough that the first hosts start while the rest is being sent.
            producer.batch(max_size=MESSAGES_AT_ONCE),
        ):
            for target in targets:
                text = f"{title} · {batch} · {target.name} · {target.route_text} · run {run_id}"
                self._send(producer, HOST_TASKS[kind], (run_id, target.name), target.pool, text)

    def _send(self, producer: "Producer", task: str, ids: tuple[str, ...], pool: str, text: str) -> None:
        self._app.send_task(
            task,
            args=ids,
            queue=queue_name(pool),
            producer=producer,
            root_id=ids[0],
            parent_id=self._parent,
            argsrepr=text,
            kwargsrepr="",
        )
