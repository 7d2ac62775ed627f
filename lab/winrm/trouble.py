"""What can be wrong with a WinRM service: switches that a test, a bench or a demo turns while it runs."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

_GLANCE_SECONDS: Final = 0.1


@dataclass(kw_only=True)
class Trouble:
    """Each may be set at any time, from any thread, and counts from the next request on.

    Attributes:
        latency: seconds that every request waits before it is looked at.
        requests_per_connection: how many requests a connection is good for; the one after that is not
            answered, and the connection is closed.
        idle_seconds: for how long a connection may be silent before it is closed.
        hanging: verbs (``Receive``, ``Command``, ...) that get no answer.
        logins_refused: no login is good enough.
        access_denied: logins are good, but nobody may open a shell.
        quota_full: as if the user's shells were all in use.
    """

    latency: float = 0.0
    requests_per_connection: int | None = None
    idle_seconds: float | None = None
    hanging: frozenset[str] = frozenset()
    logins_refused: bool = False
    access_denied: bool = False
    quota_full: bool = False
    _unread: Counter[str] = field(default_factory=Counter, init=False)
    _unanswered: Counter[str] = field(default_factory=Counter, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def drop_next(self, verb: str, *, carried_out: bool) -> None:
        """Close the connection at the next request with this verb.

        Args:
            verb: ``Command``, ``Send``, ``Receive``, ...
            carried_out: what is asked for is done, and only the answer is lost.
        """
        with self._lock:
            (self._unanswered if carried_out else self._unread)[verb] += 1

    def drops_unread(self, verb: str) -> bool:
        """Whether the connection ends here, with nothing done."""
        return self._take(self._unread, verb)

    def drops_unanswered(self, verb: str) -> bool:
        """Whether the connection ends here, with everything done."""
        return self._take(self._unanswered, verb)

    def hold(self, verb: str, stopped: threading.Event) -> bool:
        """Wait for as long as this verb hangs; whether it did."""
        hung = False
        while verb in self.hanging and not stopped.is_set():
            hung = True
            stopped.wait(_GLANCE_SECONDS)
        return hung

    def delay(self) -> None:
        """Wait as long as the latency is."""
        if self.latency > 0:
            time.sleep(self.latency)

    def _take(self, planned: Counter[str], verb: str) -> bool:
        with self._lock:
            if not planned[verb]:
                return False
            planned[verb] -= 1
            return True
