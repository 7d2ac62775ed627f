"""The lab's small part of cmd.exe and of PowerShell: what it knows, and that it refuses all else."""

import base64
from pathlib import Path

import pytest

from lab.windows.machine import WindowsMachine
from tests.support.windows_host import PASSWORD, USER, outputs_of

Result = tuple[int | None, list[str], str]


@pytest.fixture
def machine(tmp_path: Path) -> WindowsMachine:
    return WindowsMachine("desk-1", tmp_path, passwords={USER: PASSWORD})


def _start(machine: WindowsMachine, line: str, **environment: str) -> Result:
    process = machine.start(line, environment=environment, user=USER)
    process.stdin.end()
    said, complaint = outputs_of(process)
    return process.exit_code, said.splitlines(), complaint


def _cmd(machine: WindowsMachine, line: str, **environment: str) -> Result:
    return _start(machine, f'cmd.exe /d /s /c "{line}"', **environment)


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("echo one", 0, ["one"]),
        ("echo.two", 0, ["two"]),
        ("echo a^&b", 0, ["a&b"]),
        ('echo "a & b"', 0, ['"a & b"']),
        ("echo %VERSION% %version% %OTHER% 100%", 0, ["1.4 1.4 %OTHER% 100%"]),
        ("exit 7", 7, []),
        ("exit /b 7 & echo never", 7, []),
        ("cd C:\\none&& echo never", 1, []),
        ("cd C:\\none 2>nul|| echo then", 1, ["then"]),
        ("mkdir C:\\a\\b & cd C:\\a & cd b & cd & cd .. & cd", 0, ["C:\\a\\b", "C:\\a"]),
        ("echo x>C:\\x&&echo y>>C:\\x&&type C:\\x", 0, ["x", "y"]),
        (
            "echo x>C:\\x& copy C:\\x C:\\y >nul& ren C:\\y z& dir /b C:\\z& del C:\\z& dir /b C:\\z 2>nul",
            1,
            ["z"],
        ),
        ("if exist C:\\Users echo there", 0, ["there"]),
        ("if not exist C:\\users echo never", 0, []),
        ("if /i %VERSION%==1.4 echo same", 0, ["same"]),
        ("if defined VERSION echo known", 0, ["known"]),
        ("set A=b& set A", 0, ["A=b"]),
        ("hostname & whoami", 0, ["desk-1", "desk-1\\deploy"]),
        ("cmd /c exit 4 & cmd /c echo deeper", 0, ["deeper"]),
        ("powershell -NoProfile -Command exit 5", 5, []),
        ("timeout /t 1", 1, []),
    ],
)
def test_a_line_does_what_it_does_on_windows(
    machine: WindowsMachine, line: str, code: int, said: list[str]
) -> None:
    assert _cmd(machine, line, VERSION="1.4")[:2] == (code, said)


@pytest.mark.parametrize(
    "line",
    [
        "tasklist",
        "net start shop",
        "echo a | find a",
        "sort < C:\\x",
        "for %i in (1 2) do echo %i",
        "if exist C:\\none (echo never)",
        "if 1 LSS 2 echo less",
        "set /a A=1",
        "echo %VERSION:1=2%",
        "echo %RANDOM%",
        "del C:\\*.tmp",
        "del /s C:\\x",
        "dir C:\\",
        "goto end",
        "(echo a)",
        "setlocal enabledelayedexpansion",
        "rmdir /s C:\\Users",
        "ping 192.0.2.1",
    ],
)
def test_what_it_does_not_know_ends_all_of_it(machine: WindowsMachine, line: str) -> None:
    code, said, complaint = _cmd(machine, f"{line} & echo never & exit /b 0", VERSION="1.4")

    assert (code, said) == (9009, [])
    assert complaint.startswith("the WinRM protocol lab doesn't know ")


def test_a_batch_file_with_arguments_calls_another(machine: WindowsMachine) -> None:
    (machine.drive / "app").mkdir()
    machine.place("C:\\app\\install.cmd").write_text(
        "@echo off\nrem its arguments\ncall %~dp0second.cmd %1>C:\\app\\log.txt\n"
        "if errorlevel 3 echo 100%% %~2 %ERRORLEVEL%\nthird\necho never\n"
    )
    machine.place("C:\\app\\second.cmd").write_text(":: says what it got\necho got %1\nexit /b 3\n")
    machine.place("C:\\app\\third.bat").write_text("exit /b 4\n")

    code, said, complaint = _cmd(machine, 'cd C:\\app&& install "a b" "c d"')

    assert (code, said, complaint) == (4, ["100% c d 3"], "")
    assert machine.place("C:\\app\\log.txt").read_text().strip() == 'got "a b"'


def test_outputs_go_where_they_are_sent(machine: WindowsMachine) -> None:
    code, said, complaint = _cmd(
        machine, "echo wrong 1>&2 & cd C:\\none 2>C:\\err.txt & type C:\\none >C:\\all.txt 2>&1"
    )

    assert (code, said, complaint.split()) == (1, [], ["wrong"])
    assert machine.place("C:\\err.txt").read_text().strip() == "The system cannot find the path specified."
    assert machine.place("C:\\all.txt").read_text().strip() == "The system cannot find the file specified."


def test_a_full_disk_is_an_error_of_the_command(machine: WindowsMachine) -> None:
    machine.trouble.disk_full = True

    code, _, complaint = _cmd(machine, "echo x>C:\\x")

    assert (code, complaint.strip()) == (1, "There is not enough space on the disk.")


def _encoded(text: str) -> str:
    return f"powershell -encodedcommand {base64.b64encode(text.encode('utf-16-le')).decode()}"


def test_powershell_knows_a_few_plain_lines(machine: WindowsMachine) -> None:
    code, said, _ = _start(
        machine,
        _encoded(
            "New-Item -ItemType Directory -Force -Path 'C:\\app'; "
            'Add-Content C:\\app\\x -Value "v $env:VERSION"\n'
            "# a remark\nWrite-Output 'it''s'; 'done'\nexit 3"
        ),
        VERSION="1.4",
    )

    assert (code, said) == (3, ["it's", "done"])
    assert machine.place("C:\\app\\x").read_text().strip() == "v 1.4"


def test_powershell_names_what_it_does_not_know_as_powershell_writes_errors(machine: WindowsMachine) -> None:
    code, said, complaint = _start(machine, _encoded("Get-Process | Stop-Process\n'never'"))

    assert (code, said) == (1, [])
    assert complaint.startswith("#< CLIXML\r\n<Objs ")
    assert "the WinRM protocol lab runs no PowerShell" in complaint


def test_another_program_is_refused(machine: WindowsMachine) -> None:
    code, _, complaint = _start(machine, '"C:\\Program Files\\app\\app.exe" /install')

    assert code == 9009
    assert "doesn't know the program 'app'" in complaint
