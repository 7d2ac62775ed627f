"""The how-to for a self-hosted pool: its unit is one that systemd takes, its commands are ones that exist."""

import configparser
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import Settings
from tests.support.documents import ROOT, blocks
from tests.support.privilege import needs

pytestmark = pytest.mark.integration
PAGE = "how-to/join-a-self-hosted-pool.md"


def _unit() -> str:
    (unit,) = blocks(PAGE, "systemd")
    return unit


def _help(*words: str) -> str:
    shown = subprocess.run(
        [sys.executable, "-m", "producer", *words, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def test_the_commands_exist() -> None:
    lines = [line for block in blocks(PAGE, "longshore") for line in block.splitlines()]
    assert len(lines) == 3
    for line in lines:
        program, command, *rest = shlex.split(line)
        assert program == "longshore"
        assert all(word in _help(command) for word in rest if word.startswith("--"))


def test_the_unit_starts_the_command_of_the_page() -> None:
    unit = configparser.ConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign] - systemd's names keep their case
    unit.read_string(_unit())
    started = unit["Service"]["ExecStart"]
    assert started.removeprefix("/opt/longshore/bin/") in blocks(PAGE, "longshore")[0]


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    needs("systemd-analyze")
    program = tmp_path / "longshore"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = tmp_path / "longshore-worker.service"
    path.write_text(_unit().replace("/opt/longshore/bin/longshore", str(program)))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in checked.stderr.splitlines() if path.name in line]
    assert complaints == []


def test_the_workers_environment_is_read_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    (environment,) = blocks(PAGE, "env")
    for line in environment.splitlines():
        monkeypatch.setenv(*line.split("=", 1))
    settings = Settings()
    assert settings.redis_url.startswith("rediss://")
    assert settings.record_url.endswith("/1")
