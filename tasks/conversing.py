"""Talks to a host's driver: short modes to their end, and how long a lost host is called again."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from config.causes import Cause
from tasks.holdings import Held
from tasks.hostscript.control import ControlParser, Event, PutHas
from tasks.hostscript.driver import Invocation
from workers.packing import Parcel
from workers.transports.base import Session, TransportError

GLANCE_SECONDS = 1.0
"""How long a read waits before whoever reads looks at the clock and at what else there is."""
LONGEST_PAUSE = 15.0


def converse(
    session: Session, invocation: Invocation, *, marker: str, wait: float, content: Iterable[bytes] = ()
) -> Iterator[Event]:
    """Run a short mode of the driver to its end, and give what it says.

    Args:
        session: on the host.
        invocation: of the mode.
        marker: the run's.
        wait: seconds for the mode, and for each piece of content.
        content: bytes that follow the invocation's own input.

    Raises:
        TransportError: the connection was lost, or the host didn't answer in time.
    """
    parser = ControlParser(marker)
    follow = session.start(invocation.command, stdin=invocation.stdin, timeout=wait)
    with closing(follow):
        for piece in content:
            follow.write(piece, wait)
        follow.end_input()
        deadline = time.monotonic() + wait
        while (data := follow.read(GLANCE_SECONDS)) != b"":
            yield from parser.feed(data or b"")
            if time.monotonic() > deadline:
                raise TransportError(Cause.COMMAND, f"no answer from the host within {wait:g} s")


def upload(
    session: Session, invocation: Invocation, packed: Parcel, *, marker: str, wait: float
) -> Iterator[Event]:
    """Run mode put where the host says first how much it has: the rest follows.

    Args:
        session: on the host.
        invocation: of the mode.
        packed: what is uploaded.
        marker: the run's.
        wait: seconds for the host's first word, for each piece, and for its last.

    Raises:
        TransportError: the connection was lost, or the host didn't answer in time.
    """
    parser = ControlParser(marker)
    follow = session.start(invocation.command, stdin=invocation.stdin, timeout=wait)
    with closing(follow):
        deadline = time.monotonic() + wait
        while (data := follow.read(GLANCE_SECONDS)) != b"":
            for event in parser.feed(data or b""):
                if isinstance(event, PutHas):
                    for piece in packed.chunks(start=event.size):
                        follow.write(piece, wait)
                    follow.end_input()
                    deadline = time.monotonic() + wait
                yield event
            if time.monotonic() > deadline:
                raise TransportError(Cause.COMMAND, f"no answer from the host within {wait:g} s")


@dataclass
class Patience:
    """For how long, and how often, a lost connection is made again."""

    seconds: float

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Something was heard from the host: begin anew."""
        self._deadline = time.monotonic() + self.seconds
        self._pause = 0.5

    def wait(self, held: Held) -> bool:
        """Wait for the next try; False when patience is at its end, or the claim is lost."""
        left = self._deadline - time.monotonic()
        pause, self._pause = min(self._pause, left), min(self._pause * 2, LONGEST_PAUSE)
        until = time.monotonic() + pause
        while left > 0 and time.monotonic() < until and not held.leaving.is_set():
            held.lost.wait(min(GLANCE_SECONDS, pause))
            if held.lost.is_set():
                return False
        return left > 0
