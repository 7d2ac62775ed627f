"""Where sessions wait for their next job, found by the way that they go."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from workers.transports.endpoints import Endpoint
from workers.transports.ssh import SshSession
from workers.tunnels import Tunnel

Way = tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A session that waits for its next job.

    Attributes:
        way: the servers that it goes over, and the login at each; without their keys.
        tunnels: the proxies that it goes through.
        since: when it was given back.
    """

    way: Way
    session: SshSession
    tunnels: tuple[Tunnel, ...]
    since: float


class Shelf:
    """Kept sessions, the one that waited longest first. Not safe under many threads by itself.

    A thousand may wait, so the one that is wanted is looked up rather than looked for.
    """

    def __init__(self) -> None:
        self._all: OrderedDict[int, Kept] = OrderedDict()
        self._by_way: defaultdict[Way, list[int]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def oldest(self) -> Kept | None:
        """The one that waited longest."""
        return next(iter(self._all.values()), None)

    def put(self, kept: Kept) -> None:
        """Put one to the others."""
        self._all[id(kept)] = kept
        self._by_way[kept.way].append(id(kept))

    def take_latest(self, way: Way) -> Kept | None:
        """Take the one of this way that waited least: the likeliest to live."""
        keys = self._by_way.get(way)
        return self._take(keys[-1]) if keys else None

    def take_oldest(self, fits: Callable[[Kept], bool] = lambda _: True) -> Kept | None:
        """Take the one that waited longest among those that fit."""
        key = next((key for key, kept in self._all.items() if fits(kept)), None)
        return None if key is None else self._take(key)

    def take_all(self) -> list[Kept]:
        """Take every one."""
        taken = list(self._all.values())
        self._all.clear()
        self._by_way.clear()
        return taken

    def _take(self, key: int) -> Kept:
        kept = self._all.pop(key)
        keys = self._by_way[kept.way]
        keys.remove(key)
        if not keys:
            del self._by_way[kept.way]
        return kept
