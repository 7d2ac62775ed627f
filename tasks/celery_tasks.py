"""The Celery tasks: thin shells around the runtime's functions."""

import logging
from contextlib import suppress
from typing import Any

from celery import Task
from celery.exceptions import Ignore
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from kombu.exceptions import OperationalError

from config.celery_settings import QUEUE_PREFIX
from tasks.outcomes import HostResult, Outcome
from tasks.runtime import Runtime, runtime
from workers.app import app
from workers.limits import collect_garbage_seldom

log = logging.getLogger(__name__)


@app.task(name="longshore.advance", bind=True)
def advance(self: Task, run_id: str) -> str:
    """Let the gate of a run decide."""
    return runtime().advance(run_id, parent=self.request.id)


@app.task(name="longshore.verify_host", bind=True)
def verify_host(self: Task, run_id: str, host: str) -> str:
    """Verify one host."""
    return _shown(self, runtime().carry_out(run_id, "verification", host, parent=self.request.id))


@app.task(name="longshore.deploy_host", bind=True)
def deploy_host(self: Task, run_id: str, host: str) -> str:
    """Deploy to one host."""
    return _shown(self, runtime().carry_out(run_id, "deployment", host, parent=self.request.id))


def _shown(task: Task, result: HostResult | None) -> str:
    """What monitors of tasks, such as Flower, show of a host's end.

    Raises:
        Ignore: the host failed, which for Longshore is a value and a task well done; monitors were told
            that it failed, and Celery shall not tell them otherwise.
    """
    if result is None:
        return "nothing to do"
    if result.outcome in {Outcome.OK, Outcome.CANCELLED}:
        return result.summary
    log.warning("%s: %s", task.request.argsrepr, result.summary)
    with suppress(OperationalError):  # the record has it; monitors only show
        task.send_event(
            "task-failed", exception=result.summary, result=result.summary, runtime=result.seconds
        )
    raise Ignore(result.summary)


@worker_ready.connect
def _begin(sender: Any, **_: Any) -> None:
    queues = sender.app.amqp.queues.consume_from
    pools = tuple(sorted(name.removeprefix(QUEUE_PREFIX) for name in queues))
    collect_garbage_seldom()
    runtime().begin(name=sender.hostname, pools=pools, slots=sender.controller.concurrency)


@worker_shutting_down.connect
def _leave(**_: Any) -> None:
    # In a signal's handler: it only sets what the threads look at.
    runtime().leave()


@worker_shutdown.connect
def _end(**_: Any) -> None:
    runtime().end()


__all__ = ["Runtime", "advance", "deploy_host", "verify_host"]
