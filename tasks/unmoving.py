"""Which hosts of a run are not moving although they should be. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Deferral:
    """A host that waits to be tried again.

    Attributes:
        since: when it was found out of reach, in ms by the server's clock.
        again: when it is tried again.
        proxy: the proxy that is down, where it is one; else empty.
        cause: why it can't be reached, and a line for people.
    """

    since: float
    again: float
    proxy: str
    cause: str


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """What is known of a run's hosts that haven't ended.

    Attributes:
        sent: a message of theirs is out, as far as the record knows.
        expired: running, and their worker is gone.
        given_back: running, and their worker left them for later.
        waits: those of them that wait to be tried again.
    """

    sent: Sequence[str]
    expired: AbstractSet[str]
    given_back: AbstractSet[str]
    waits: Mapping[str, Deferral]


def unmoving(
    hosts: Hosts, *, down: AbstractSet[str], now: float, limit: float, messages_lost: bool
) -> list[str]:
    """Hosts whose messages are to be sent again.

    Of the hosts behind a proxy that is down one is tried at a time, and the others go as soon as it got
    through, or have had their time: so an outage of one proxy costs the workers a slot, and not all of them.

    Args:
        hosts: of the run.
        down: proxies that no host gets through.
        now: in ms, by the clock of what is known.
        limit: ms that a host waits for its proxy.
        messages_lost: nobody took the messages that are out, in all this time.
    """
    free = [*hosts.sent, *sorted(hosts.expired | hosts.given_back)]
    waiting = [name for name in free if name in hosts.waits]
    lost = [name for name in free if name not in hosts.waits and (messages_lost or name in hosts.expired)]
    due = [name for name in waiting if _is_due(hosts.waits[name], down=down, now=now, limit=limit)]
    return lost + due + list(_probes(waiting, due, hosts.waits, down=down, now=now))


def _is_due(waits: Deferral, *, down: AbstractSet[str], now: float, limit: float) -> bool:
    if waits.proxy:
        return waits.proxy not in down or now - waits.since >= limit
    return waits.again <= now


def _probes(
    waiting: Iterable[str],
    due: Sequence[str],
    waits: Mapping[str, Deferral],
    *,
    down: AbstractSet[str],
    now: float,
) -> Iterable[str]:
    first: dict[str, str] = {}
    for name in waiting:
        each = waits[name]
        if name in due or each.proxy not in down:
            continue
        if each.proxy not in first or each.again < waits[first[each.proxy]].again:
            first[each.proxy] = name
    return [name for name in first.values() if waits[name].again <= now]
