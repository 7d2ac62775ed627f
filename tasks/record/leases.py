"""Reads which hosts nobody drives any more."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from config.targets import HostTarget
from tasks.record import keys
from tasks.record.store import as_text

if TYPE_CHECKING:
    from redis import Redis


def expired(
    redis: "Redis", run_id: str, kind: str, running: Mapping[str, str], targets: Mapping[str, HostTarget]
) -> list[str]:
    """Hosts whose lease is gone, another's, or past its time.

    Args:
        redis: the record.
        run_id: the run.
        kind: of the run.
        running: host to the token under which a worker took it.
        targets: of those hosts.
    """
    pipeline = redis.pipeline(transaction=False)
    for name in running:
        pipeline.hmget(keys.lease(run_id, kind, targets[name]), ["token", "until"])
    now = _now_ms(redis)
    return [
        name
        for name, (token, until) in zip(running, pipeline.execute(), strict=True)
        if as_text(token) != running[name] or int(until) < now
    ]


def seconds_since_sent(redis: "Redis", run_id: str) -> float:
    """How long ago messages of the run's hosts were sent last."""
    sent_at = redis.hget(keys.run(run_id), "sent_at")
    return (_now_ms(redis) - int(sent_at or 0)) / 1000


def _now_ms(redis: "Redis") -> int:
    seconds, microseconds = redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000
