"""Everything on one machine: a Redis of its own, workers, Flower."""

import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from config.celery_settings import FLOWER_SETTINGS
from config.errors import LongshoreError
from producer.children import Children
from workers.embedded_redis import LOOPBACK, free_port

REDIS_PORT, FLOWER_PORT = 6379, 5555
READY_SECONDS = 60.0
POLL_SECONDS = 0.2
_LONGSHORE = (sys.executable, "-m", "producer")


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where things are; the user's commands and the workers find them by these."""

    redis_url: str
    record_url: str
    flower_url: str

    def environment(self) -> dict[str, str]:
        """The variables that tell them."""
        return {
            "LONGSHORE_REDIS_URL": self.redis_url,
            "LONGSHORE_RECORD_URL": self.record_url,
            "LONGSHORE_FLOWER_URL": self.flower_url,
        }


def start_everything(
    children: Children, directory: Path, pools: Sequence[str], *, ending: threading.Event
) -> Addresses:
    """Start all programs, and wait until Flower answers or ``ending`` is set.

    Raises:
        LongshoreError: one of them has ended, or Flower doesn't answer.
    """
    addresses = _start_redis(children, directory / "redis")
    environment = {**os.environ, **addresses.environment()}
    for pool in pools:
        children.start(f"worker-{pool}", [*_LONGSHORE, "worker", "--pool", pool], environment=environment)
    # Its broker dies at the same time, and without one Flower waits for it for ever rather than end.
    # What it shows is saved each minute.
    command = flower_command(addresses.flower_url, directory)
    children.start("flower", command, environment=environment, last_signal=signal.SIGKILL)
    _wait_for_flower(children, addresses.flower_url, ending)
    return addresses


def flower_command(url: str, directory: Path) -> list[str]:
    """Flower on loopback. A password reaches it by ``$FLOWER_BASIC_AUTH``, never by its arguments."""
    port = url.rpartition(":")[2]
    command = [sys.executable, "-m", "celery", "-A", "workers.app", "flower"]
    command += [f"--address={LOOPBACK}", f"--port={port}"]
    return [*command, f"--conf={FLOWER_SETTINGS}", f"--db={directory / 'flower'}"]


def _start_redis(children: Children, directory: Path) -> Addresses:
    command = [sys.executable, "-m", "workers.embedded_redis", "--directory", str(directory)]
    if _is_free(REDIS_PORT):
        command += ["--port", str(REDIS_PORT)]
    place = children.announcement(children.start("redis", command, environment=os.environ, announces=True))
    flower_port = FLOWER_PORT if _is_free(FLOWER_PORT) else free_port()
    return Addresses(
        redis_url=f"redis://{place}/0",
        record_url=f"redis://{place}/1",
        flower_url=f"http://{LOOPBACK}:{flower_port}",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _wait_for_flower(children: Children, url: str, ending: threading.Event) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(url) and not ending.wait(POLL_SECONDS):
        children.check()
        if time.monotonic() > deadline:
            raise LongshoreError(f"Flower doesn't answer at {url} after {READY_SECONDS:g} s.")


def _answers(url: str) -> bool:
    """Whether anything speaks HTTP there, whatever it says."""
    try:
        urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - http on loopback
    except urllib.error.HTTPError as answer:
        answer.close()
    except OSError:
        return False
    return True
