"""Sends messages: ids only, with texts that make Flower read like a deployment board."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from config.celery_settings import queue_name
from config.targets import HostTarget
from config.winrm_warnings import warnings_in_brief

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

    def gate(self, run_id: str, *, title: str, pools: Sequence[str], first: bool = False) -> None:
        """Send the message that lets a run's gate decide, to one of its pools that lives, else the first.

        The ``first`` of a run has the run's own id, so that the root of all the others leads to it.
        """
        task_id = run_id if first else _task_id(run_id, "gate")
        live = self._live_pools() if len(pools) > 1 else set()
        pool = next((pool for pool in pools if pool in live), pools[0])
        with self._app.producer_pool.acquire(block=True) as producer:
            self._send(producer, ADVANCE, task_id, (run_id,), pool, f"{title} · gate")

    def hosts(self, run_id: str, kind: str, targets: Iterable[HostTarget], *, title: str, batch: str) -> None:
        """Send one message per host, each to its own pool."""
        with (
            self._app.producer_pool.acquire(block=True) as producer,
            # One round trip for many; small enough that the first hosts start while the rest is being sent.
            producer.batch(max_size=MESSAGES_AT_ONCE),
        ):
            for target in targets:
                task_id = _task_id(run_id, target.name)
                words = (title, batch, target.name, target.route_text, *warnings_in_brief(target))
                text = " · ".join(words)
                self._send(producer, HOST_TASKS[kind], task_id, (run_id, target.name), target.pool, text)

    def _send(
        self, producer: "Producer", task: str, task_id: str, ids: tuple[str, ...], pool: str, text: str
    ) -> None:
        self._app.send_task(
            task,
            args=ids,
            queue=queue_name(pool),
            producer=producer,
            task_id=task_id,
            root_id=ids[0],
            parent_id=self._parent,
            argsrepr=text,
            kwargsrepr=f"run {ids[0]}",
        )


def _task_id(run_id: str, what: str) -> str:
    """An id that says in Flower and in workers' logs what it is about; each message has its own."""
    return f"{run_id}.{what}.{secrets.token_hex(4)}"
