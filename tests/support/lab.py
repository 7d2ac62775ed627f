"""A lab in a process of its own, for tests."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def running_lab(directory: Path, hosts: int = 6) -> Iterator[dict[str, Any]]:
    """What ``python -m lab up`` said when it was ready, and its process id as ``pid``."""
    with subprocess.Popen(
        [
            sys.executable,
            "-W",
            "error",
            "-m",
            "lab",
            "up",
            "--directory",
            str(directory),
            "--hosts",
            str(hosts),
        ],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        try:
            yield {**json.loads(process.stdout.readline()), "pid": process.pid}
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
