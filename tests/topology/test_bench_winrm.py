"""The bench over Windows hosts does all that it says, and counts what the hosts were asked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import namespace

pytestmark = pytest.mark.topology
ROOT = Path(__file__).parent.parent.parent


def test_a_quick_run_measures_everything_and_leaves_nothing(tmp_path: Path) -> None:
    # given
    if os.geteuid() != 0:
        assert not os.environ.get("CI"), "the topology tier needs root"
        pytest.skip("needs root, for namespaces")
    figures = tmp_path / "figures.json"

    # when
    command = [sys.executable, "-m", "bench.winrm", "--quick", "--json", str(figures)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    # then: how fast it was is not for a test to say
    assert done.returncode in {0, 1}, done.stderr
    document = json.loads(figures.read_text())
    assert [(row["failure"], len(row["samples"])) for row in document["rows"]] == [(None, 1)] * 3
    assert [upload["tls"] for upload in document["uploads"]] == [True, False]
    verdicts = {verdict["target"]: verdict["reached"] for verdict in document["targets"]}
    assert verdicts["requests to the host asked most, but for output"] is True
    assert None not in verdicts.values()
    assert not namespace.RUN.exists()
