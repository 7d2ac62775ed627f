"""Many hosts behind one proxy, some of which die in mid-upload: what breaks a shared SSH connection.

Played by a test, with few hosts, and by ``bench.proxy_proof``, with many.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from lab.sshd import Sshd

PIECE = bytes(64 * 1024)
PIECES = 16
KILLED_AFTER = 4


class Upload(Protocol):
    """A command under way on a host, to which data is sent."""

    def first_line(self) -> bytes:
        """The first line that the command prints."""

    def send(self, data: bytes) -> None:
        """Send data; raises when the host is gone."""

    def finish(self) -> bytes:
        """End the input, and read the rest of the output."""


Reach = Callable[[Sshd, str], AbstractContextManager[Upload]]
"""Connects to a server at an address through the proxy, and starts ``COMMAND`` there."""

# The parent of the login's shell is the process of the session: killing it is what a dying host looks like.
COMMAND = "echo $PPID; wc -c"


@dataclass(frozen=True, kw_only=True)
class StormReport:
    """How the hosts of one storm ended: ``whole``, ``killed``, or the name of an error."""

    ends: Counter[str]

    @property
    def innocent(self) -> int:
        """Hosts that broke although nobody killed them."""
        return sum(count for end, count in self.ends.items() if end not in {"whole", "killed"})


def addresses(count: int) -> list[str]:
    """Loopback addresses, each a host of its own."""
    return [f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}" for number in range(count)]


def storm(server: Sshd, reach: Reach, *, hosts: int, at_once: int, killed_of: int = 3) -> StormReport:
    """Upload to all hosts, and kill one of ``killed_of`` of them in the middle (0: none)."""

    def job(number: int, address: str) -> str:
        dies = killed_of > 0 and number % killed_of == 0
        try:
            with reach(server, address) as upload:
                process = int(upload.first_line())
                for piece in range(PIECES):
                    if dies and piece == KILLED_AFTER:
                        os.kill(process, signal.SIGKILL)
                    upload.send(PIECE)
                received = int(upload.finish())
        except Exception as error:  # noqa: BLE001 - whatever a host ends with is counted
            return "killed" if dies else type(error).__name__
        return "whole" if received == len(PIECE) * PIECES else "short"

    with ThreadPoolExecutor(at_once) as threads:
        ends = Counter(threads.map(job, range(hosts), addresses(hosts)))
    return StormReport(ends=ends)
