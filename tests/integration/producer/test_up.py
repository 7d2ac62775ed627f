import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tasks.record.connection import connect
from tasks.record.presence import Presence

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[3]
SECONDS = 60.0
PLANTED = "planted:hunter2"


@pytest.fixture
def up(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """``longshore up`` for two pools, in a folder of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "producer", "up", "--pool", "official", "--pool", "frankfurt", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "FLOWER_BASIC_AUTH": PLANTED},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def _ready(process: subprocess.Popen[str]) -> dict[str, str]:
    """What it says once it is ready: one document over several lines."""
    assert process.stdout
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            break
    addresses: dict[str, str] = json.loads(text)
    return addresses


def _below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def _gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=SECONDS)
    return not [each for each in alive if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_everything_runs_on_loopback_and_is_gone_after_ctrl_c(up: subprocess.Popen[str]) -> None:
    addresses = _ready(up)
    below = _below(up)
    listening = [
        connection.laddr.ip
        for each in below
        for connection in each.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}
    assert not [each for each in below if "hunter2" in " ".join(each.cmdline())]
    with connect(addresses["record"]) as record:
        deadline = time.monotonic() + SECONDS
        while {worker.pool for worker in Presence(record).live()} != {"official", "frankfurt"}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    up.send_signal(signal.SIGINT)
    assert up.wait(SECONDS) == 0
    assert _gone(below)


def test_flower_wants_the_password_that_the_environment_has(up: subprocess.Popen[str]) -> None:
    flower = _ready(up)["flower"]
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(flower, timeout=10)  # noqa: S310 - http on loopback
    refused.value.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_it_however_it_ends(up: subprocess.Popen[str], number: signal.Signals) -> None:
    _ready(up)
    below = _below(up)
    assert len(below) >= 5
    up.send_signal(number)
    up.wait(SECONDS)
    assert _gone(below)


def test_a_part_that_ends_ends_it_all_and_is_named(up: subprocess.Popen[str]) -> None:
    _ready(up)
    below = _below(up)
    redis = next(each for each in below if "redis-server" in " ".join(each.cmdline()))
    redis.kill()
    _, said = up.communicate(timeout=SECONDS)
    assert up.returncode == 1
    assert "redis ended with 1" in said
    assert _gone(below)
