"""Reads which hosts nobody drives any more, and which wait to be tried again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.targets import HostTarget
from tasks.record import keys
from tasks.record.scripts import Scripts
from tasks.record.store import as_text
from tasks.unmoving import Deferral

if TYPE_CHECKING:
    from redis import Redis

_DOWN = "down:"


@dataclass(frozen=True, kw_only=True)
class Free:
    """Running hosts that may be claimed.

    Attributes:
        expired: their lease is gone, another's, or past its time.
        deferred: their worker gave them back to be tried again later.
    """

    expired: frozenset[str]
    deferred: frozenset[str]


def free(
    redis: "Redis", run_id: str, kind: str, running: Mapping[str, str], targets: Mapping[str, HostTarget]
) -> Free:
    """Which of these hosts nobody drives.

    Args:
        redis: the record.
        run_id: the run.
        kind: of the run.
        running: host to the token under which a worker took it.
        targets: of those hosts.
    """
    pipeline = redis.pipeline(transaction=False)
    for name in running:
        pipeline.hmget(keys.lease(run_id, kind, targets[name]), ["token", "until", "deferred"])
    now = now_ms(redis)
    expired, deferred = set(), set()
    for name, (token, until, given_back) in zip(running, pipeline.execute(), strict=True):
        if as_text(token) != running[name] or int(until) < now:
            expired.add(name)
        if given_back:
            deferred.add(name)
    return Free(expired=frozenset(expired), deferred=frozenset(deferred))


def deferrals(redis: "Redis", run_id: str) -> dict[str, Deferral]:
    """Host to why it waits, for those that do."""
    raw = redis.hgetall(keys.deferred(run_id))
    return {str(as_text(name)): Deferral(**json.loads(value)) for name, value in raw.items()}


def proxies_down(redis: "Redis", run_id: str) -> dict[str, tuple[float, str]]:
    """Proxy to since when (ms) and why no host gets through it, as the run's hosts found."""
    names = [name for each in redis.hkeys(keys.run(run_id)) if (name := str(as_text(each))).startswith(_DOWN)]
    values = redis.hmget(keys.run(run_id), names) if names else []
    found = {}
    for name, value in zip(names, values, strict=True):
        since, _, why = (as_text(value) or "0 ").partition(" ")
        found[name.removeprefix(_DOWN)] = (float(since), why)
    return found


def others_first(redis: "Redis", run_id: str, targets: Mapping[str, HostTarget]) -> dict[str, str]:
    """Host to the other run that comes first for its machine, for those that wait for one.

    Args:
        redis: the record.
        run_id: a deployment.
        targets: hosts of it.
    """
    queues = [keys.queue("deployment", target) for target in targets.values()]
    answers = Scripts(redis).call("first", queues, []) if queues else []
    first = {name: found.decode().split(" ")[0] for name, found in zip(targets, answers, strict=True)}
    return {name: run for name, run in first.items() if run not in ("", run_id)}


def seconds_since_sent(redis: "Redis", run_id: str) -> float:
    """How long ago messages of the run's hosts were sent last."""
    sent_at = redis.hget(keys.run(run_id), "sent_at")
    return (now_ms(redis) - int(sent_at or 0)) / 1000


def now_ms(redis: "Redis") -> int:
    """The server's clock, in ms since 1970."""
    seconds, microseconds = redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000
