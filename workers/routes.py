"""Routes: from here to a host, directly, through proxies, or to a port that is forwarded to it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from config.causes import Cause
from config.fleet import WinRM
from config.targets import HostTarget, ProxyHop
from workers.transports.base import Deadlines, StageClock, TransportError, UnheardError
from workers.transports.endpoints import Endpoint
from workers.transports.keys import check_host_key
from workers.transports.login import log_in
from workers.transports.pump import as_socket
from workers.transports.sockets import Stream, connect, resolve_address
from workers.transports.ssh import SshSession
from workers.transports.stages import unnamed, untimed
from workers.transports.winrm.login import log_in as log_in_to_winrm
from workers.transports.winrm.session import WinrmSession
from workers.transports.wire import Wire
from workers.tunnels import ProxyLink, Tunnel

PinnedKeys = Mapping[str, str]
"""Host keys pinned by the first verification, ``type base64``, by name of host or proxy."""

_Identity = tuple[ProxyHop, ...]
# What a host seems to do when in truth a proxy on the way has gone.
_COULD_BE_A_PROXY = {Cause.PROTOCOL, Cause.CONNECTION_LOST}


def endpoint_of(place: HostTarget | ProxyHop, pins: PinnedKeys) -> Endpoint:
    """The server of a host or proxy, with its accepted keys: the fleet's, else the pinned one."""
    pinned = pins.get(place.name)
    forward = place.forward if isinstance(place, HostTarget) else None
    return Endpoint(
        name=place.name,
        address=place.address,
        port=place.port,
        credential=place.credential,
        keys=place.host_key or (() if pinned is None else (pinned,)),
        is_proxy=isinstance(place, ProxyHop),
        through=f"proxy {forward.name} port {forward.port}" if forward else "",
    )


def entry_of(target: HostTarget, host: Endpoint) -> Endpoint:
    """What is connected to: the host itself, or the port of a proxy that is forwarded to it."""
    forward = target.forward
    if forward is None:
        return host
    return Endpoint(
        name=forward.name,
        address=forward.address,
        port=forward.port,
        credential=host.credential,
        is_proxy=True,
    )


class Tunnels:
    """All proxies that this process has to do with; one Tunnel each."""

    def __init__(self, deadlines: Deadlines, on_full: Callable[[Tunnel], None] = lambda _: None) -> None:
        """Start with none.

        Args:
            deadlines: how long each part may take.
            on_full: called when a host has to wait for a place, so that kept sessions can make room.
        """
        self._deadlines = deadlines
        self._lock = threading.Lock()
        self._tunnels: dict[_Identity, Tunnel] = {}
        self.on_full = on_full

    def get(self, hops: tuple[ProxyHop, ...]) -> Tunnel:
        """The tunnel to the last of these proxies, through the others."""
        # Keys are no part of it: verification pins them while the connection stands.
        identity = tuple(hop.model_copy(update={"host_key": ()}) for hop in hops)
        with self._lock:
            tunnel = self._tunnels.get(identity)
            if tunnel is None:
                tunnel = Tunnel(
                    endpoint_of(identity[-1], {}), places=hops[-1].max_channels, deadlines=self._deadlines
                )
                self._tunnels[identity] = tunnel
            return tunnel

    def all(self) -> list[Tunnel]:
        """Every tunnel, in no order."""
        with self._lock:
            return list(self._tunnels.values())

    def close(self) -> None:
        """Close all connections to proxies."""
        for tunnel in self.all():
            tunnel.close()


@dataclass(kw_only=True)
class _Way:
    """One host's way, while it is being gone.

    Attributes:
        passed: the proxies that were passed, nearest first, and the connections to them.
        observed: host keys that were seen, by name.
    """

    tunnels: Tunnels
    pins: PinnedKeys
    accept_unknown: bool
    deadlines: Deadlines
    stages: StageClock
    passed: tuple[tuple[Tunnel, Wire], ...] = ()
    observed: dict[str, str] = field(default_factory=dict)

    def reach(self, hops: tuple[ProxyHop, ...], target: Endpoint) -> Stream:
        """A stream to ``target``, over these proxies."""
        if not hops:
            return self._dial(target)
        tunnel = self.tunnels.get(hops)
        link = self._link(tunnel, hops)
        try:
            return self._forward(tunnel, link, target)
        except TransportError as error:
            # A kept connection may turn out dead only when it is used; a new one is worth a try.
            if error.cause is not Cause.PROXY_LOST or not link.kept:
                raise
        return self._forward(tunnel, self._link(tunnel, hops), target)

    def _forward(self, tunnel: Tunnel, link: ProxyLink, target: Endpoint) -> Stream:
        self.passed = (*link.under, (tunnel, link.wire))
        with self.stages("forward"):
            return tunnel.open_stream(link.wire, target, lambda: self.tunnels.on_full(tunnel))

    def _dial(self, target: Endpoint) -> Stream:
        with self.stages("dns"):
            addresses = resolve_address(target, self.deadlines.resolve)
        with self.stages("tcp"):
            return connect(target, addresses, self.deadlines)

    def _link(self, tunnel: Tunnel, hops: tuple[ProxyHop, ...]) -> ProxyLink:
        proxy = endpoint_of(hops[-1], self.pins)
        link = tunnel.connected(lambda: self._log_in_to(proxy, hops), (proxy.keys, self.accept_unknown))
        if link.kept:
            with self.stages("proxy_login", note=f"kept connection to {proxy.name}"):
                check_host_key(proxy, link.key, accept_unknown=self.accept_unknown)
        self.observed[proxy.name] = link.key
        return link

    def _log_in_to(self, proxy: Endpoint, hops: tuple[ProxyHop, ...]) -> ProxyLink:
        stream = self.reach(hops[:-1], proxy)
        with self.stages("proxy_login"):
            wire, key = self._log_in(stream, proxy, unnamed)
        return ProxyLink(wire=wire, key=key, under=self.passed)

    def _log_in(self, stream: Stream, target: Endpoint, stages: StageClock) -> tuple[Wire, str]:
        return log_in(
            stream, target, accept_unknown=self.accept_unknown, deadlines=self.deadlines, stages=stages
        )

    def open(self, target: HostTarget) -> SshSession:
        """A session on a host over SSH."""
        host = endpoint_of(target, self.pins)
        stream = self._enter(target, host)
        with self._blaming(target, host) as passed:
            wire, self.observed[target.name] = self._log_in(stream, host, self.stages)
        return SshSession(
            wire,
            host,
            deadlines=self.deadlines,
            who_is_to_blame=lambda: _blame(passed),
            observed_keys=self.observed,
        )

    def open_winrm(self, target: HostTarget, settings: WinRM) -> WinrmSession:
        """A session on a host over WinRM."""
        host = endpoint_of(target, self.pins)
        link = as_socket(self._enter(target, host))
        once_more = replace(self, stages=unnamed)
        with self._blaming(target, host) as passed:
            wire = log_in_to_winrm(
                link,
                host,
                settings,
                redial=lambda: as_socket(once_more.reach(target.hops, entry_of(target, host))),
                deadlines=self.deadlines,
                stages=self.stages,
            )
        return WinrmSession(
            wire,
            host,
            deadlines=self.deadlines,
            who_is_to_blame=lambda: _blame(passed),
            observed_keys=self.observed,
        )

    def _enter(self, target: HostTarget, host: Endpoint) -> Stream:
        entry = entry_of(target, host)
        try:
            return self.reach(target.hops, entry)
        except UnheardError as error:
            if target.forward is None or error.proxy != entry.name:
                raise
            # Its reset may come before the connection was looked at for the first time.
            nothing = _nothing_behind(entry, target, closed=error.lost)
            nothing.stage = error.stage
            raise nothing from None

    @contextmanager
    def _blaming(self, target: HostTarget, host: Endpoint) -> Iterator[tuple[tuple[Tunnel, Wire], ...]]:
        """The proxies passed so far; an error of the host's turns into that of the proxy at fault."""
        passed = self.passed
        try:
            yield passed
        except TransportError as error:
            if error.cause not in _COULD_BE_A_PROXY:
                raise
            blamed = _blame(passed)
            if blamed is None and isinstance(error, UnheardError) and target.forward is not None:
                blamed = _nothing_behind(entry_of(target, host), target, closed=error.lost)
            if blamed is None:
                raise
            blamed.stage = error.stage
            raise blamed from None


def _nothing_behind(entry: Endpoint, target: HostTarget, *, closed: bool) -> TransportError:
    """A forwarded port that takes connections, but has nothing to connect them to."""
    host = f"{target.name} ({target.address} port {target.port})"
    if closed:
        detail = f"took the connection and closed it at once: nothing answers for it at {host}"
        return entry.error(Cause.PROXY_FORWARD_REFUSED, detail, lost=True)
    detail = f"took the connection, but nothing was heard through it from {host}"
    return entry.error(Cause.PROXY_FORWARD_TIMEOUT, detail)


def _blame(passed: tuple[tuple[Tunnel, Wire], ...]) -> TransportError | None:
    """The error of the first proxy that is at fault, nearest first, if one is."""
    errors = (tunnel.blame(wire) for tunnel, wire in passed)
    return next((error for error in errors if error is not None), None)


Opened = SshSession | WinrmSession
"""A session of either transport."""


def open_session(
    target: HostTarget,
    known_keys: PinnedKeys,
    *,
    tunnels: Tunnels,
    accept_unknown: bool = False,
    deadlines: Deadlines,
    stages: StageClock = untimed,
) -> tuple[Opened, dict[str, str]]:
    """Reach a host over its route and log in.

    Args:
        target: the host.
        known_keys: pinned keys by name, for those that have none in the fleet.
        tunnels: the connections to proxies that this process has.
        accept_unknown: take any key where none is known; for verification, which pins it.
        deadlines: how long each part may take.
        stages: times ``dns``, ``tcp``, ``proxy_login``, ``forward``, ``banner`` and ``host_key`` or ``tls``,
            ``login``.

    Returns:
        The session, and all host keys that were seen, by name of host or proxy.

    Raises:
        TransportError: it didn't work; the cause names the hop.
    """
    way = _Way(
        tunnels=tunnels, pins=known_keys, accept_unknown=accept_unknown, deadlines=deadlines, stages=stages
    )
    session = way.open(target) if target.winrm is None else way.open_winrm(target, target.winrm)
    return session, way.observed
