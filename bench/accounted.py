"""A worker process that tells how much of its CPU goes to surviving: record, leases and events.

``python -m bench.accounted FILE OPTIONS...`` is ``python -m workers.process OPTIONS...``, in which the
functions that write and read the record, renew leases, sweep, and send Celery's events are timed by the CPU
of the thread that runs them; the sums are written to FILE twice a second. What they cost by being there (a
wait for a lock, a larger heap) isn't in it, and the timing itself is: a few microseconds a call.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from celery.events.dispatcher import EventDispatcher

from tasks.heartbeat import Beat
from tasks.record.presence import Presence
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter
from workers import process

_DUMP_SECONDS = 0.5
_PARTS: dict[str, tuple[type[Any], ...]] = {
    "record": (RecordWriter, RecordReader, Presence),
    "leases": (Beat,),
    "events": (EventDispatcher,),
}


class Account:
    """CPU seconds by part; within one part's function another's are that one's."""

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(_PARTS, 0.0)
        self._lock = threading.Lock()
        self._within = threading.local()

    def watch(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        @wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            if getattr(self._within, "now", False):
                return function(*arguments, **named)
            self._within.now, began = True, time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                self._within.now = False
                with self._lock:
                    self._seconds[part] += time.thread_time() - began

        return timed

    def dump(self, path: Path) -> None:
        """Write the sums, and the process's CPU by now, for ever."""
        fresh = path.with_suffix(".new")
        while True:
            with self._lock:
                sums = dict(self._seconds)
            fresh.write_text(json.dumps({**sums, "process": time.process_time()}))
            fresh.rename(path)
            time.sleep(_DUMP_SECONDS)


def main() -> int:
    """Run the worker, watched."""
    account = Account()
    for part, classes in _PARTS.items():
        for owner in classes:
            for name, function in vars(owner).items():
                if callable(function) and (name == "__call__" or not name.startswith("_")):
                    setattr(owner, name, account.watch(part, function))
    path = Path(sys.argv.pop(1))
    threading.Thread(target=account.dump, args=(path,), name=f"account {os.getpid()}", daemon=True).start()
    return process.main()


if __name__ == "__main__":
    sys.exit(main())
