"""Batch files by Wine's cmd.exe, on a stand-in machine's drive C:."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab.windows.machine import WindowsMachine
from lab.windows.wine import Wine
from tests.support.privilege import needs
from tests.support.windows_host import PASSWORD, USER, outputs_of

pytestmark = pytest.mark.integration


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[WindowsMachine]:
    needs("wine")
    machine = WindowsMachine("desk-1", tmp_path, passwords={USER: PASSWORD})
    with Wine(machine, tmp_path / "wine"):
        yield machine


def _run(machine: WindowsMachine, line: str) -> tuple[int | None, str, str]:
    process = machine.start(f'cmd.exe /d /s /c "{line}"')
    said, complaint = outputs_of(process)
    return process.exit_code, said, complaint


def test_what_the_lab_s_own_cmd_lacks(machine: WindowsMachine) -> None:
    machine.place("C:\\deploy.cmd").write_text(
        "@echo off\r\nfor %%i in (1 2) do (\r\n  echo %%i %1\r\n)\r\ngoto end\r\necho never\r\n:end\r\n"
        "echo %VERSION%>C:\\version.txt\r\nexit /b 3\r\n"
    )
    process = machine.start('cmd.exe /d /s /c "C:\\deploy.cmd shop"', environment={"VERSION": "1.4"})

    assert outputs_of(process)[0].splitlines() == ["1 shop", "2 shop"]
    assert process.exit_code == 3
    assert machine.place("C:\\version.txt").read_text() == "1.4\n"


@pytest.mark.parametrize("program", ["powershell -c exit", "certutil", "icacls x", "netsh x", "setx A b"])
def test_what_wine_only_pretends_to_have_is_refused(machine: WindowsMachine, program: str) -> None:
    code, _, complaint = _run(machine, f"{program} & exit /b 0")

    assert code == 9009
    assert f"the WinRM protocol lab's Wine has no '{program}'" in complaint


def test_a_killed_one_ends_and_the_server_with_the_machine(tmp_path: Path) -> None:
    needs("wine")
    machine = WindowsMachine("desk-1", tmp_path, passwords={USER: PASSWORD})
    before = {each.pid for each in psutil.process_iter()}
    with Wine(machine, tmp_path / "wine"):
        machine.place("C:\\forever.cmd").write_text("@echo begun\r\n:again\r\ngoto again\r\n")
        process = machine.start('cmd.exe /d /s /c "C:\\forever.cmd"')
        assert process.outputs.take(20.0)
        process.kill()
    left = [
        each
        for each in psutil.process_iter(["status", "environ"])
        if each.pid not in before and str(tmp_path) in str(each.info["environ"])
    ]
    assert left == []
