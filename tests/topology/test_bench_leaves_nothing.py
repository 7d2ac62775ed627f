"""The bench ends with everything that it started, however it is ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bench import namespace

pytestmark = pytest.mark.topology
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def running() -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process]]]:
    if os.geteuid() != 0:
        assert not os.environ.get("CI"), "the topology tier needs root"
        pytest.skip("needs root, for namespaces")
    command = [sys.executable, "-m", "bench.explore_ssh", "--connects", "5000"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        family = psutil.Process(process.pid)
        namespace.wait_for("sshd", lambda: any(map(is_sshd, family.children(recursive=True))), 30)
        yield process, family.children(recursive=True)
    finally:
        process.kill()
        process.wait()


def is_sshd(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # one of its sessions, over already
        return process.name() == "sshd"
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_and_no_user_outlives_it(
    running: tuple[subprocess.Popen[bytes], list[psutil.Process]], number: signal.Signals
) -> None:
    # given
    process, started = running
    assert namespace.USER not in Path("/etc/passwd").read_text()

    # when
    process.send_signal(number)
    process.wait(20)

    # then
    namespace.wait_for("the end of all", lambda: not any(each.is_running() for each in started), 20)
    assert not namespace.RUN.exists()
