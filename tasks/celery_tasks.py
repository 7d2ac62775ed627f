"""The Celery tasks: thin shells around the runtime's functions."""

from typing import Any

from celery import Task
from celery.signals import worker_ready, worker_shutdown

from config.celery_settings import QUEUE_PREFIX
from tasks.runtime import Runtime, runtime
from workers.app import app


@app.task(name="longshore.advance", bind=True)
def advance(self: Task, run_id: str) -> None:
    """Let the gate of a run decide."""
    runtime().gatekeeper(parent=self.request.id).advance(run_id)


@app.task(name="longshore.verify_host", bind=True)
def verify_host(self: Task, run_id: str, host: str) -> None:
    """Verify one host."""
    runtime().carry_out(run_id, "verification", host, parent=self.request.id)


@app.task(name="longshore.deploy_host", bind=True)
def deploy_host(self: Task, run_id: str, host: str) -> None:
    """Deploy to one host."""
    runtime().carry_out(run_id, "deployment", host, parent=self.request.id)


@worker_ready.connect
def _begin(sender: Any, **_: Any) -> None:
    queues = sender.app.amqp.queues.consume_from
    pools = tuple(sorted(name.removeprefix(QUEUE_PREFIX) for name in queues))
    runtime().begin(name=sender.hostname, pools=pools, slots=sender.controller.concurrency)


@worker_shutdown.connect
def _end(**_: Any) -> None:
    runtime().end()


__all__ = ["Runtime", "advance", "deploy_host", "verify_host"]
