"""The script that verification runs on a host, under each shell that a host may have."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "tasks" / "verify.sh"
SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "ash"]}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    name = str(request.param)
    if shutil.which(name) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return [str(shutil.which(SHELLS[name][0])), *SHELLS[name][1:], "-s"]


def report(
    shell: list[str], home: Path, *, directory: str = ".longshore", user: str = "", path: str | None = None
) -> list[tuple[str, ...]]:
    program = f"directory='{directory}'\nuser='{user}'\n{SCRIPT.read_text()}"
    done = subprocess.run(
        shell,
        input=program.encode(),
        capture_output=True,
        check=True,
        env={"HOME": str(home), "PATH": path or os.environ["PATH"]},
    )
    assert done.stderr == b""
    lines = [line.split(" ", 4) for line in done.stdout.decode().splitlines()]
    assert all(line[0] == "longshore-verify" for line in lines)
    return [tuple(line[1:4]) for line in lines]


def test_good_host_passes_and_nothing_is_left(shell: list[str], tmp_path: Path) -> None:
    assert report(shell, tmp_path) == [("command", "ok", "-"), ("workdir", "ok", "-")]
    assert [path.name for path in tmp_path.iterdir()] == [".longshore"]
    assert list((tmp_path / ".longshore").iterdir()) == []
    assert (tmp_path / ".longshore").stat().st_mode & 0o077 == 0


def test_directory_with_spaces_is_one_directory(shell: list[str], tmp_path: Path) -> None:
    assert report(shell, tmp_path, directory=str(tmp_path / "a b"))[1] == ("workdir", "ok", "-")
    assert (tmp_path / "a b").is_dir()


def test_directory_that_can_not_be_made_is_workdir(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = report(shell, tmp_path, directory=str(tmp_path / "file" / "work"))
    assert found[-1] == ("workdir", "failed", "workdir")


def only(tools: tuple[str, ...], place: Path) -> str:
    place.mkdir()
    for tool in tools:
        (place / tool).symlink_to(str(shutil.which(tool)))
    return str(place)


@pytest.mark.parametrize("missing", ["setsid", "head", "tail"])
def test_missing_tool_is_named(missing: str, tmp_path: Path) -> None:
    shell = [str(shutil.which("dash") or "/bin/sh"), "-s"]
    tools = tuple({"setsid", "head", "tail", "tr", "mkdir", "wc", "rm", "df", "awk"} - {missing})
    found = report(shell, tmp_path, path=only(tools, tmp_path / "bin"))
    assert found == [("command", "failed", "tool_missing")]


def test_sudo_that_is_not_there_is_privilege(tmp_path: Path) -> None:
    shell = [str(shutil.which("dash") or "/bin/sh"), "-s"]
    tools = ("setsid", "head", "tail", "tr", "mkdir", "wc", "rm", "df", "awk")
    found = report(shell, tmp_path, user="root", path=only(tools, tmp_path / "bin"))
    assert found[-1] == ("privilege", "failed", "privilege")


def test_sudo_that_says_yes_passes(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    sudo = tmp_path / "bin" / "sudo"
    sudo.write_text('#!/bin/sh\n[ "$*" = "-n -u app true" ]\n')
    sudo.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    assert report(shell, tmp_path, user="app", path=path)[-1] == ("privilege", "ok", "-")
