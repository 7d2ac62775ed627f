"""Celery's settings: a message is a hint and the record decides, so nothing is held, kept or run twice."""

from pathlib import Path
from typing import Any

from config.settings import Settings

QUEUE_PREFIX = "longshore."
FLOWER_SETTINGS = Path(__file__).with_name("flower.py")
"""What Flower is told, as a file of its own kind (``--conf``)."""


def queue_name(pool: str) -> str:
    """The queue of a pool."""
    return QUEUE_PREFIX + pool


def celery_settings(settings: Settings) -> dict[str, Any]:
    """Everything that Celery is told, on both sides of the queue; routes are the senders' own."""
    return {
        "broker_url": settings.redis_url,
        # Blocking SSH sessions wait in threads, and kombu restores a crashed worker's messages there.
        "worker_pool": "workers.threads:HostThreads",
        "worker_concurrency": settings.concurrency,
        # With late acks any blip of the connection runs a task a second time beside the first.
        "task_acks_late": False,
        # A message that waits in one worker is lost to the others; and with early ack, lost with it.
        "worker_disable_prefetch": True,
        # Results would be keys, subscriptions and a place for secrets; the record is the truth.
        "task_ignore_result": True,
        # The reconciler sends again what was lost; Celery would do it blindly.
        "task_reject_on_worker_lost": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "broker_transport_options": {
            # Above any moment in which a message is unacknowledged.
            "visibility_timeout": 900,
            # Every 10 s look for messages that a dead worker took, not every 88 s.
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            # A half-open link is noticed rather than waited on for ever.
            "socket_timeout": 10,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
        # A worker outlives an outage of any length, and a primary that was demoted.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,
        # What Flower shows.
        "worker_send_task_events": True,
        "task_send_sent_event": True,
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
        "accept_content": ["json"],
    }
