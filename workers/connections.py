"""Connections to hosts, kept for the next job for a while."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from config.settings import Settings
from config.targets import HostTarget
from workers.routes import Opened, PinnedKeys, Tunnels, endpoint_of, open_session
from workers.shelf import Kept, Shelf, Way
from workers.transports.base import Deadlines, StageClock, TransportError
from workers.transports.keys import check_host_key
from workers.transports.ssh import SshSession
from workers.transports.stages import untimed
from workers.tunnels import Tunnel

_TRUSTED_SECONDS = 2.0
_CHECK_SECONDS = 3.0


def deadlines_of(settings: Settings) -> Deadlines:
    """The deadlines of connections that these settings ask for."""
    login = settings.login_timeout
    return Deadlines(
        resolve=settings.connect_timeout,
        connect=settings.connect_timeout,
        banner=login,
        handshake=login,
        login=login,
        channel=settings.connect_timeout + login,
    )


class Connections:
    """Sessions on hosts: opened, lent to one job at a time, kept a while, closed.

    Safe under many threads. Two jobs on one host at once get a session each.
    """

    def __init__(self, *, idle: float, most: int = 128, deadlines: Deadlines | None = None) -> None:
        """Start with none.

        Args:
            idle: seconds that a session is kept, or a connection to a proxy that nobody uses; 0 keeps none.
            most: sessions kept at most; the one that waited longest goes first.
            deadlines: how long each part of a connection may take.
        """
        self._idle = idle
        self._most = most
        self._deadlines = deadlines or Deadlines()
        self._lock = threading.Lock()
        self._kept = Shelf()
        self._timer: threading.Timer | None = None
        self._closed = False
        self._tunnels = Tunnels(self._deadlines, on_full=self._make_room)

    @contextmanager
    def session(
        self,
        target: HostTarget,
        pins: PinnedKeys,
        *,
        accept_unknown: bool = False,
        fresh: bool = False,
        stages: StageClock = untimed,
    ) -> Iterator[Opened]:
        """A session on a host for the time of the block: a kept one that still answers, or a new one.

        Over WinRM it is always a new one, and nothing of it is kept: a shell holds memory on the host, and
        the host has few.

        Args:
            target: the host.
            pins: pinned keys by name, for hosts and proxies that have none in the fleet.
            accept_unknown: take any key where none is known; for verification, which pins it.
            fresh: log in anew, even if a session is kept; for verification, which proves that it works.
            stages: times what is done to get it.

        Raises:
            TransportError: the host can't be reached. An error inside the block passes through, and a
                session that broke in it is not kept.
        """
        way = (*(endpoint_of(hop, pins) for hop in target.hops), endpoint_of(target, pins))
        kept = None if fresh else self._take(way, accept_unknown=accept_unknown)
        session: Opened | None = kept
        if session is None:
            session, _ = open_session(
                target,
                pins,
                tunnels=self._tunnels,
                accept_unknown=accept_unknown,
                deadlines=self._deadlines,
                stages=stages,
            )
        try:
            yield session
        finally:
            if isinstance(session, SshSession):
                self._give_back(_without_keys(way), target, session)
            else:
                session.close()

    def close(self) -> None:
        """Close everything that is kept; sessions that are lent end when they are given back."""
        with self._lock:
            self._closed = True
            kept = self._kept.take_all()
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        for each in kept:
            each.session.close()
        self._tunnels.close()

    @property
    def kept(self) -> int:
        """How many sessions wait for their next job."""
        with self._lock:
            return len(self._kept)

    def _take(self, way: Way, *, accept_unknown: bool) -> SshSession | None:
        """A kept session that answers; those that don't are closed on the way."""
        wanted = _without_keys(way)
        while True:
            with self._lock:
                found = self._kept.take_latest(wanted)
            if found is None:
                return None
            session = found.session
            if self._is_good(found) and _keys_fit(way, session, accept_unknown=accept_unknown):
                return session
            session.close()

    def _is_good(self, kept: Kept) -> bool:
        waited = time.monotonic() - kept.since
        if waited > self._idle or not kept.session.is_alive():
            return False
        return waited < _TRUSTED_SECONDS or kept.session.answers(_CHECK_SECONDS)

    def _give_back(self, way: Way, target: HostTarget, session: SshSession) -> None:
        tunnels = tuple(self._tunnels.get(target.hops[: count + 1]) for count in range(len(target.hops)))
        # A host that others wait for, behind a proxy with no place left, is not kept from them.
        good = session.is_alive() and not session.in_use and not any(tunnel.wanted for tunnel in tunnels)
        leaving = [session]
        with self._lock:
            if good and self._idle > 0 and self._most > 0 and not self._closed:
                self._kept.put(Kept(way=way, session=session, tunnels=tunnels, since=time.monotonic()))
                leaving = []
            if len(self._kept) > self._most and (oldest := self._kept.take_oldest()):
                leaving = [oldest.session]
            self._schedule()
        for each in leaving:
            each.close()

    def _make_room(self, tunnel: Tunnel) -> None:
        """Close the session that waited longest among those that take a place on this proxy."""
        with self._lock:
            found = self._kept.take_oldest(lambda each: tunnel in each.tunnels)
        if found is not None:
            found.session.close()

    def _schedule(self) -> None:
        """See to it that what is past its time is closed; called with the lock held.

        There is one timer, and only while something is kept.
        """
        if self._timer is not None or self._closed:
            return
        oldest = self._kept.oldest
        wait = self._idle if oldest is None else oldest.since + self._idle - time.monotonic()
        self._timer = threading.Timer(max(0.05, wait), self._close_idle)
        self._timer.daemon = True
        self._timer.start()

    def _close_idle(self) -> None:
        before = time.monotonic() - self._idle
        with self._lock:
            self._timer = None
            closing = []
            while (oldest := self._kept.oldest) is not None and oldest.since <= before:
                self._kept.take_oldest()
                closing.append(oldest.session)
        for session in closing:
            session.close()
        open_tunnels = [tunnel for tunnel in self._tunnels.all() if not tunnel.close_if_idle(self._idle)]
        with self._lock:
            if self._kept or open_tunnels:
                self._schedule()


def _without_keys(way: Way) -> Way:
    # Keys are no part of what a session is kept under: verification pins them while it stands.
    return tuple(replace(endpoint, keys=()) for endpoint in way)


def _keys_fit(way: Way, session: SshSession, *, accept_unknown: bool) -> bool:
    try:
        for endpoint in way:
            check_host_key(endpoint, session.observed_keys[endpoint.name], accept_unknown=accept_unknown)
    except TransportError:
        return False
    return True
