"""Celery's settings: what was measured of Celery 5.7 on Redis, and why each is as it is."""

from typing import Any

from config.settings import Settings

QUEUE_PREFIX = "longshore."


def queue_name(pool: str) -> str:
    """The queue of a pool."""
    return QUEUE_PREFIX + pool


def celery_settings(settings: Settings) -> dict[str, Any]:
    """Celery's configuration, for workers and producers alike."""
    return {
        "broker_url": settings.redis_url.get_secret_value(),
        # Blocking SSH wants threads; with them the restore of abandoned messages works too.
        "worker_pool": "threads",
        "worker_concurrency": settings.concurrency,
        # The record decides, a message is a hint: a lost one is sent again by the sweeper, so nothing
        # is gained by late acknowledgement, which runs work twice after any connection blip.
        "task_acks_late": False,
        "worker_disable_prefetch": True,
        "task_reject_on_worker_lost": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # No results: no secrets in them, no keys, no subscriptions.
        "task_ignore_result": True,
        "result_backend": None,
        "broker_transport_options": {
            "visibility_timeout": 900,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "socket_timeout": 10,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
        # Outlive an outage, and a primary that is demoted.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,
        # Flower shows activity from events.
        "worker_send_task_events": True,
        "task_send_sent_event": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "event_serializer": "json",
        "task_create_missing_queues": True,
        "task_default_queue": queue_name("official"),
        "worker_hijack_root_logger": False,
        "worker_proc_alive_timeout": 30,
        "enable_utc": True,
    }
