"""Connections to proxies: one per proxy and process, shared by all hosts behind it."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from config.causes import Cause
from workers.places import Places
from workers.transports.base import Deadlines, TransportError
from workers.transports.channels import ChannelClosedError, ChannelRefusedError
from workers.transports.endpoints import Endpoint
from workers.transports.streams import ChannelStream
from workers.transports.wire import Wire

logger = logging.getLogger(__name__)

_PROHIBITED = 1
_SECONDS_TO_BLAME = 5.0
_CAUSES_OF_REASONS = (
    ("refused", Cause.TCP_REFUSED),
    ("timed out", Cause.TCP_TIMEOUT),
    ("unreachable", Cause.TCP_UNREACHABLE),
    ("no route", Cause.TCP_UNREACHABLE),
    ("name", Cause.DNS),
    ("address", Cause.DNS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyLink:
    """A live connection to a proxy.

    Attributes:
        wire: the connection.
        key: the host key that the proxy showed.
        under: the proxies, with their connections, that it goes through.
        kept: it stood before, for another host.
    """

    wire: Wire
    key: str
    under: "tuple[tuple[Tunnel, Wire], ...]" = ()
    kept: bool = False


Dial = Callable[[], ProxyLink]
"""Reaches the proxy and logs in."""


@dataclass(slots=True)
class _Attempt:
    """One try to reach the proxy, for all who want it at the moment, on the same terms."""

    terms: object
    done: threading.Event = field(default_factory=threading.Event)
    error: TransportError | None = None


class Tunnel:
    """One proxy: its shared connection, and its places for hosts."""

    def __init__(self, endpoint: Endpoint, *, places: int, deadlines: Deadlines) -> None:
        """Describe the proxy; nothing is connected yet.

        Args:
            endpoint: the proxy's SSH server; its keys are not looked at here.
            places: hosts reached at once.
            deadlines: how long each part may take.
        """
        self.endpoint = endpoint
        self._deadlines = deadlines
        self._places = Places(places)
        self._lock = threading.Lock()
        self._link: ProxyLink | None = None
        self._attempt: _Attempt | None = None
        self._last_used = time.monotonic()

    def kept(self) -> ProxyLink | None:
        """The connection that stands, if there is one that still answers."""
        with self._lock:
            link = self._link
            self._last_used = time.monotonic()
        if link is None:
            return None
        if link.wire.is_active():
            fresh = time.monotonic() - link.wire.last_heard < self._deadlines.silence
            if fresh or link.wire.ping(_SECONDS_TO_BLAME):
                return replace(link, kept=True)
        self.lost(link.wire)
        return None

    def connected(self, dial: Dial, terms: object) -> ProxyLink:
        """The live connection; opened by one thread while the others wait for that one attempt.

        Args:
            dial: reaches the proxy.
            terms: whoever has other terms (known keys) makes an attempt of its own when this one fails.

        Raises:
            TransportError: the proxy can't be reached.
        """
        while True:
            link = self.kept()
            if link is not None:
                return link
            with self._lock:
                if self._link is not None:
                    continue
                attempt = self._attempt
                if attempt is None:
                    mine = self._attempt = _Attempt(terms)
                    break
            attempt.done.wait()
            if attempt.error is not None and attempt.terms == terms:
                shared = attempt.error
                raise TransportError(
                    shared.cause,
                    shared.detail,
                    stage=shared.stage,
                    observed_key=shared.observed_key,
                    proxy=shared.proxy,
                )
        return self._make(mine, dial)

    def _make(self, attempt: _Attempt, dial: Dial) -> ProxyLink:
        link: ProxyLink | None = None
        try:
            link = dial()
        except TransportError as error:
            attempt.error = error
            raise
        except BaseException:
            attempt.error = self.endpoint.error(Cause.INTERNAL, "the attempt to reach it was broken off")
            raise
        else:
            return link
        finally:
            with self._lock:
                self._link, self._attempt = link, None
                self._last_used = time.monotonic()
            attempt.done.set()

    def open_stream(self, wire: Wire, target: Endpoint, on_wait: Callable[[], None]) -> ChannelStream:
        """Have the proxy connect to ``target``.

        Args:
            wire: the live connection.
            target: the host, or the next proxy.
            on_wait: called when all places are taken, before waiting for one.

        Raises:
            TransportError: no place came free, or the proxy could not or would not connect.
        """
        if not self._places.take(self._deadlines.place, on_wait):
            detail = f"all of its max_channels were taken for {self._deadlines.place:g} s"
            raise self.endpoint.error(Cause.PROXY_FORWARD_TIMEOUT, detail)
        try:
            return self._forward(wire, target)
        except BaseException:
            self._give_back()
            raise

    def _forward(self, wire: Wire, target: Endpoint) -> ChannelStream:
        seconds = self._deadlines.channel
        try:
            channel = wire.open("direct-tcpip", target.address, target.port, "127.0.0.1", 0)
            if channel.wait_open(seconds):
                return ChannelStream(
                    channel, self._give_back, self._deadlines.silence + self._deadlines.answer
                )
        except ChannelRefusedError as error:
            raise self._refused(target, error) from None
        except ChannelClosedError:
            raise self.lost(wire) from None
        if wire.ping(_SECONDS_TO_BLAME):
            raise target.error(Cause.TCP_TIMEOUT, f"no answer to {self.endpoint.place} within {seconds:g} s")
        self.lost(wire)
        raise self.endpoint.error(Cause.PROXY_FORWARD_TIMEOUT, f"it said nothing for {seconds:g} s")

    def _give_back(self) -> None:
        self._last_used = time.monotonic()
        self._places.give_back()

    def _refused(self, target: Endpoint, error: ChannelRefusedError) -> TransportError:
        reason = error.reason.lower() or "no reason given"
        if error.code != _PROHIBITED:
            for word, cause in _CAUSES_OF_REASONS:
                if word in reason:
                    return target.error(cause, f"{reason}, as seen from {self.endpoint.place}")
        else:
            reason = f"administratively prohibited: {reason}"
        detail = f"it refuses to forward to {target.address} port {target.port}: {reason}"
        return self.endpoint.error(Cause.PROXY_FORWARD_REFUSED, detail)

    def blame(self, wire: Wire) -> TransportError | None:
        """This proxy's error, if it is to blame for the loss of a session that went over ``wire``."""
        if wire.is_active() and wire.ping(_SECONDS_TO_BLAME):
            return None
        return self.lost(wire)

    def lost(self, wire: Wire) -> TransportError:
        """Give up a connection that is gone; the next host opens another. Says why it is gone."""
        reason = "no sign of life" if wire.is_active() else wire.why_lost()
        with self._lock:
            first = self._link is not None and self._link.wire is wire
            if first:
                self._link = None
        if first:
            logger.warning("%s: the connection was lost: %s", self.endpoint.place, reason)
        wire.close()
        return self.endpoint.error(Cause.CONNECTION_LOST, f"the connection was lost: {reason}")

    @property
    def wanted(self) -> bool:
        """Whether a host waits for a place."""
        return self._places.wanted

    def close_if_idle(self, seconds: float) -> bool:
        """Close the connection if nothing has used it for so long; whether none is left open."""
        with self._lock:
            link = self._link
            if link is None:
                return True
            if link.wire.open_channels or time.monotonic() - self._last_used < seconds:
                return False
            self._link = None
        link.wire.close()
        return True

    def close(self) -> None:
        """Close the connection; sessions that go over it are lost."""
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.wire.close()
