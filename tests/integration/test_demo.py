"""The demo, as ``make demo`` runs it."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
ROOT = Path(__file__).resolve().parents[2]


def _demo(directory: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lab.demo", "--directory", str(directory), "--hosts", "6", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _left(directory: Path) -> list[str]:
    """Command lines of processes whose arguments, environment or directory have to do with this demo."""
    mark = os.fsencode(directory)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
            place = os.fsencode((process / "cwd").readlink())
        except OSError:  # it is gone, or somebody else's
            continue
        if process.name != str(os.getpid()) and any(mark in text for text in (command, environment, place)):
            found.append(command.replace(b"\0", b" ").decode())
    return found


def test_once_it_verifies_deploys_and_ends_with_nothing_left(tmp_path: Path) -> None:
    with _demo(tmp_path / "demo", "--once") as demo:
        said, _ = demo.communicate(timeout=240)
    assert demo.returncode == 0, said
    assert "Flower: http://127.0.0.1:" in said
    hosts = tmp_path / "demo" / "lab" / "hosts"
    deployed = [path.name for path in hosts.iterdir() if (path / "shop" / "current" / "VERSION").exists()]
    assert len(deployed) == 6
    drives = [tmp_path / "demo" / "lab" / "desk" / name / "C" for name in ("desk-1", "desk-2")]
    assert [(drive / "intranet" / "current" / "VERSION").read_text() for drive in drives] == ["1.0\n"] * 2
    assert _left(tmp_path) == []


def test_it_stays_up_until_ctrl_c_and_then_ends_with_nothing_left(tmp_path: Path) -> None:
    said = []
    with _demo(tmp_path / "demo") as demo:
        assert demo.stdout
        for line in demo.stdout:
            said.append(line)
            if "Everything stays up" in line:
                assert _left(tmp_path) != []
                os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(60) == 0, "".join(said)
    assert _left(tmp_path) == []


def test_ctrl_c_in_the_middle_ends_it_with_nothing_left(tmp_path: Path) -> None:
    with _demo(tmp_path / "demo") as demo:
        assert demo.stdout
        for line in demo.stdout:
            if "$ longshore verify" in line:
                os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(60) == 0
    assert _left(tmp_path) == []


def test_a_second_demo_in_the_same_directory_is_refused(tmp_path: Path) -> None:

    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _demo(tmp_path) as second:
            said, _ = second.communicate(timeout=60)
    assert second.returncode == 2
    assert "another demo runs in" in said
