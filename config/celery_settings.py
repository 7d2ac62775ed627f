"""Celery's settings: a message is a hint and the record decides, so nothing is held, kept or run twice."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from config.redis_urls import RedisAddress, redis_address
from config.settings import Settings

QUEUE_PREFIX = "longshore."
FLOWER_SETTINGS = Path(__file__).with_name("flower.py")
"""What Flower is told, as a file of its own kind (``--conf``)."""


def queue_name(pool: str) -> str:
    """The queue of a pool."""
    return QUEUE_PREFIX + pool


def celery_settings(settings: Settings) -> dict[str, Any]:
    """Everything that Celery is told, on both sides of the queue; routes are the senders' own."""
    told = _told_of_any_redis(settings)
    broker = redis_address(settings.redis_url)
    return told | _told_of_sentinels(broker, told["broker_transport_options"]) if broker.primary else told


def _told_of_any_redis(settings: Settings) -> dict[str, Any]:
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


def _told_of_sentinels(broker: RedisAddress, transport_options: dict[str, Any]) -> dict[str, Any]:
    """The same to kombu: each Sentinel as a URL, and the primary's name apart."""
    # Without any option kombu would take the server's word for who it is.
    tls = {"ssl_cert_reqs": "required", **broker.tls_options} if broker.tls else {}
    # Several may be silent. Without "retry" each that is gone would be asked four times over some seconds.
    asking = {"socket_timeout": 2, "socket_connect_timeout": 2, "socket_keepalive": True, "retry": None}
    return {
        "broker_url": ";".join(_sentinel_url(host, port, broker) for host, port in broker.servers),
        "broker_use_ssl": tls or False,
        "broker_transport_options": {
            **transport_options,
            # A server that hangs is replaced within seconds, and its clients are to leave it as soon.
            "socket_timeout": 5,
            "health_check_interval": 5,
            "master_name": broker.primary,
            "sentinel_kwargs": asking | ({"ssl": True, **tls} if tls else {}),
        },
    }


def _sentinel_url(host: str, port: int, broker: RedisAddress) -> str:
    login = f"{quote(broker.user or '', safe='')}:{quote(broker.password or '', safe='')}@"
    place = f"[{host}]" if ":" in host else host
    return f"sentinel://{login if broker.user or broker.password else ''}{place}:{port}/{broker.database}"
