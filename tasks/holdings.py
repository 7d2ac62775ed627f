"""What this process holds: its hosts, their leases, and whether they are still wanted."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.record.claims import Claim
from tasks.record.store import RecordWriter


class Held:
    """One host that this process drives.

    Attributes:
        cancelled: set once the run is being cancelled.
        hurry: set once what runs on the host is granted no time any more.
        leaving: set once this worker is to let go of the host, for another one to go on with it.
        lost: set once another worker has the host; nothing may be written any more.
    """

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.cancelled = threading.Event()
        self.hurry = threading.Event()
        self.leaving = threading.Event()
        self.lost = threading.Event()
        if claim.cancelled_by:
            self.cancelled.set()
        if claim.cancel_now:
            self.hurry.set()


class Holdings:
    """All hosts that this process drives at the moment; safe under many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[Held] = set()
        self.leaving = False

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[Held]:
        """Keep a claim's lease renewed for the time of the block."""
        held = Held(claim)
        with self._lock:
            self._held.add(held)
            if self.leaving:
                held.leaving.set()
        try:
            yield held
        finally:
            with self._lock:
                self._held.discard(held)

    @property
    def busy(self) -> int:
        """How many hosts this process drives."""
        with self._lock:
            return len(self._held)

    def leave(self) -> None:
        """Let go of every host, and of each that is still taken."""
        with self._lock:
            self.leaving = True
            for held in self._held:
                held.leaving.set()

    def renew(self, writer: RecordWriter, *, lease_seconds: float) -> None:
        """Renew every lease, and take note of what was lost or is being cancelled."""
        with self._lock:
            held = list(self._held)
        answers = writer.renew([each.claim for each in held], lease_seconds=lease_seconds)
        for each, answer in zip(held, answers, strict=True):
            if answer == "lost":
                each.lost.set()
            elif answer in {"cancel", "cancel_now"}:
                if answer == "cancel_now":
                    each.hurry.set()
                each.cancelled.set()
