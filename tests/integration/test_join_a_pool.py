"""The how-to for a self-hosted pool, as far as one machine without a network shows it.

The wheel is made and installed as the page says, by the commands as they stand; pip is told by its
environment to fetch nothing, and the dependencies are those of the tests. The unit is checked by systemd's
own tool and not started.
"""

import configparser
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
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


# A mount namespace in which /etc, /opt and /var are copies that are thrown away; nobody else sees them.
MACHINE = """\
set -eu
scratch=$(mktemp -d)
mount -t tmpfs tmpfs "$scratch"
for folder in etc opt var; do
    mkdir -p "$scratch/$folder/changes" "$scratch/$folder/work"
    layers="lowerdir=/$folder,upperdir=$scratch/$folder/changes,workdir=$scratch/$folder/work"
    mount -t overlay overlay -o "$layers" "/$folder"
done
"""


def _checkout(folder: Path) -> Path:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    for name in packages:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    return folder


def _python_first() -> dict[str, str]:
    """An environment whose ``python3`` is the one that runs the tests, and whose pip fetches nothing."""
    search_path = [str(Path(sys.executable).parent), str(Path(sys.base_prefix, "bin"))]
    search_path += ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    # Of this variable pip takes a false value for "no isolation".
    pip = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    return {"PATH": ":".join(search_path), "HOME": "/nonexistent", **pip}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The wheel that the page's first block makes."""
    if importlib.util.find_spec("hatchling") is None:
        reason = "hatchling, which makes the wheel, is not installed beside the tests"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    make, _ = blocks(PAGE, "sh")
    checkout = _checkout(tmp_path)
    done = subprocess.run(
        ["sh", "-euc", make], cwd=checkout, env=_python_first(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = (checkout / "dist").iterdir()
    return made


def test_the_wheel_is_installed_and_runs_on_a_machine_prepared_as_the_page_says(wheel: Path) -> None:
    needs("unshare", "useradd", root=True)
    _, prepare = blocks(PAGE, "sh")
    checks = f"""
        getent passwd longshore
        stat -c '%U:%G %a' /etc/longshore /var/lib/longshore
        echo {sysconfig.get_path("purelib")} > "$(echo /opt/longshore/lib/python3*/site-packages)/tests.pth"
        cd /
        /opt/longshore/bin/python -c 'import producer, tasks.runtime; print(producer.__file__)'
        /opt/longshore/bin/{blocks(PAGE, "longshore")[0].strip()} --help
    """
    done = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-s"],
        input=f"{MACHINE}\ncd {shlex.quote(str(wheel.parent))}\n{prepare}\n{checks}",
        env=_python_first(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.endswith(":/var/lib/longshore:/usr/sbin/nologin") for line in lines), lines
    assert "root:longshore 750" in lines
    assert any(line.startswith("longshore:longshore ") for line in lines)
    assert any(line.startswith("/opt/longshore/lib/") for line in lines)
    assert any("longshore worker [OPTIONS]" in line for line in lines)
    assert not Path("/opt/longshore").exists()
    assert "longshore:" not in Path("/etc/passwd").read_text()


def test_no_page_installs_a_package_of_this_name_from_an_index() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    lines = [line for page in pages for line in page.read_text().splitlines() if "install" in line]
    assert [line for line in lines if re.search(r"\b(pip|pipx|uv)\b.*\binstall\b.* longshore\b", line)] == []


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
