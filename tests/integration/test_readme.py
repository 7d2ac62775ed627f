"""The README's tour, command by command, beside a demo."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents import ROOT, blocks

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
BLOCKS = blocks("../README.md", "sh")
TOUR = [line for block in BLOCKS for line in block.splitlines() if not line.startswith("make ")]
MAKE = [line for block in BLOCKS for line in block.splitlines() if line.startswith("make ")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("tour") / "demo"
    command = [sys.executable, "-m", "lab.demo", "--directory", str(directory)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout
        said = []
        for line in process.stdout:
            said.append(line.decode())
            if b"Everything stays up" in line:
                break
        else:
            raise AssertionError("".join(said))
        yield directory
        process.terminate()
        process.stdout.read()


def test_the_two_commands_are_there() -> None:
    targets = [re.match(r"make (\w+)", line) for line in MAKE]
    assert [target[1] for target in targets if target] == ["demo", "test"]
    for target in ("demo", "test"):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_every_command_of_the_tour_does_what_the_tour_says(demo: Path) -> None:
    assert TOUR[0] == ". .demo/env"
    # The virtual environment's `longshore` where it is installed, else the same by its module.
    define = f'command -v longshore > /dev/null || longshore() {{ "{sys.executable}" -m producer "$@"; }}'
    for line in TOUR[1:]:
        expected = int(found[1]) if (found := re.search(r"# exit code (\d)", line)) else 0
        script = "\n".join([TOUR[0], define, line]).replace(".demo/", f"{demo}/")
        done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == expected, (line, done.stdout, done.stderr)


def test_what_the_tour_shows_is_what_the_commands_print(demo: Path) -> None:
    define = f'longshore() {{ "{sys.executable}" -m producer "$@"; }}'
    shown = "\n".join(blocks("../README.md", "text")[1:])
    printed = ""
    for line in TOUR[1:]:
        script = "\n".join([TOUR[0], define, line]).replace(".demo/", f"{demo}/")
        done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
        printed += done.stdout + done.stderr
    said = {_shape(line) for line in printed.splitlines()}
    assert [line for line in shown.splitlines() if line and _shape(line) not in said] == []


def _shape(line: str) -> str:
    """A line without what differs from one time to the next: figures, ids, dates, names, widths."""
    line = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", line)
    line = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DATE", line)
    line = re.sub(r"\b(source|\d+\.\d+\.\d+)$", "VERSION", line)
    line = re.sub(r"(succeeded +\d+ +0 +)\S+", r"\1WHO", line)
    return " ".join(re.sub(r"\d+(\.\d+)?( s\b)?", "N", line).split())
