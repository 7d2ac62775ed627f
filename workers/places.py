"""A number of places, taken in turn."""

import threading
from collections import deque
from collections.abc import Callable


class Places:
    """At most so many at once, first come, first served."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for one."""
        with self._lock:
            return bool(self._waiting)

    def take(self, timeout: float, on_wait: Callable[[], None]) -> bool:
        """Take a place, in turn; False when none came in time."""
        with self._lock:
            if self._free and not self._waiting:
                self._free -= 1
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        on_wait()
        if turn.wait(timeout):
            return True
        with self._lock:
            if turn.is_set():
                return True
            self._waiting.remove(turn)
            return False

    def give_back(self) -> None:
        """Hand the place to whoever waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
