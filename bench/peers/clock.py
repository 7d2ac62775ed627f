"""What all peers that are Python scripts share: where they are told of the hosts, and the clock."""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def description() -> dict[str, Any]:
    """The document that the only argument names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("lab", type=Path)
    document: dict[str, Any] = json.loads(parser.parse_args().lab.read_text(encoding="utf-8"))
    return document


def timed(host: Callable[[str], bool], addresses: Sequence[str], *, at_once: int) -> None:
    """Run ``host`` for every address; print seconds, CPU seconds and the number that went well as JSON."""
    began, cpu = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(at_once) as threads:
        good = sum(threads.map(host, addresses))
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    print(json.dumps({"seconds": seconds, "cpu": cpu, "good": good}))
