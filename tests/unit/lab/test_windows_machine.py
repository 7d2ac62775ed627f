"""A stand-in Windows host: its drive, its users, its processes."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.windows import paths
from lab.windows.machine import WindowsMachine
from lab.windows.processes import KILLED_EXIT_CODE, KilledError, Process, Program
from tests.support.windows_host import outputs_of

USERS = {"deploy": "secret", "CORP\\admin": "other"}


@pytest.fixture
def machine(tmp_path: Path) -> WindowsMachine:
    return WindowsMachine("desk-1", tmp_path, passwords=USERS)


@given(st.lists(st.sampled_from(["..", ".", "a", "B", "", "...", " "])), st.sampled_from(["\\", "/"]))
def test_no_path_leaves_the_drive(names: list[str], separator: str) -> None:
    for start in ("x", "C:", "c:\\", "/x"):
        parts = paths.parts_of(start + separator.join(names), "C:\\Users\\deploy")
        assert all(each not in {"..", "."} and "\\" not in each and "/" not in each for each in parts)


@pytest.mark.parametrize("path", ["D:\\x", "\\\\server\\share\\x", "C:\\a*", "C:\\a:stream", "C:\\a\x00b"])
def test_what_is_not_on_the_drive_is_refused(machine: WindowsMachine, path: str) -> None:
    with pytest.raises(paths.PathError):
        machine.place(path)


def test_names_have_no_case_and_keep_that_of_their_making(machine: WindowsMachine) -> None:
    machine.place("C:\\App\\Shop").mkdir(parents=True)

    assert machine.place("c:/APP/shop\\new.TXT") == machine.drive / "App" / "Shop" / "new.TXT"
    assert machine.full_path("..\\x", "C:\\App\\Shop") == "C:\\App\\x"
    assert machine.place("C:x", "C:\\App") == machine.drive / "App" / "x"


@pytest.mark.parametrize(
    ("user", "password", "accepted"),
    [
        ("deploy", "secret", True),
        ("DEPLOY", "secret", True),
        (".\\deploy", "secret", True),
        ("admin@corp", "other", True),
        ("deploy", "Secret", False),
        ("nobody", "secret", False),
        ("nobody", "", False),
    ],
)
def test_logins(machine: WindowsMachine, user: str, password: str, accepted: bool) -> None:
    assert machine.accepts(user, password) is accepted


def _launch(machine: WindowsMachine, program: Program, parent: int = 0) -> Process:
    return machine.launch(program, command_line="x", environment={}, directory="C:\\", parent=parent)


def _idle(process: Process) -> int:
    process.wait(60)
    return 0


def test_a_tree_is_killed_and_nobody_else(machine: WindowsMachine) -> None:
    root = _launch(machine, _idle)
    child = _launch(machine, _idle, parent=root.pid)
    grandchild = _launch(machine, _idle, parent=child.pid)
    other = _launch(machine, _idle)

    assert machine.processes.kill_tree(root.pid, root.started) == []
    assert [each.exit_code for each in (root, child, grandchild)] == [KILLED_EXIT_CODE] * 3
    assert machine.processes.running() == [other]
    assert machine.processes.kill_tree(other.pid, other.started + 1) == []
    assert machine.processes.alive(other.pid, other.started)
    machine.reboot()
    assert machine.processes.running() == []
    assert machine.rebooted_since(other.started)
    assert not machine.rebooted_since(_launch(machine, _idle).started)
    machine.reboot()


def test_a_killed_process_starts_no_other(machine: WindowsMachine) -> None:
    process = _launch(machine, _idle)
    process.kill()

    with pytest.raises(KilledError):
        _launch(machine, _idle, parent=process.pid)
    assert machine.processes.running() == []


def test_a_killed_process_has_no_effect_any_more(machine: WindowsMachine) -> None:
    go_on, reached = threading.Event(), threading.Event()

    def program(process: Process) -> int:
        go_on.wait(10)
        reached.set()
        with process.working():
            machine.place("C:\\x").touch()
        return 0

    process = _launch(machine, program)
    process.kill()
    go_on.set()
    assert reached.wait(10)
    assert process.exit_code == KILLED_EXIT_CODE
    assert not machine.place("C:\\x").exists()


def test_a_writer_waits_for_its_reader_and_loses_nothing(machine: WindowsMachine) -> None:
    written = threading.Event()

    def program(process: Process) -> int:
        for _ in range(20):
            process.outputs.write("stdout", b"x" * 100_000)
        written.set()
        return 0

    process = _launch(machine, program)

    assert not written.wait(0.2)
    assert len(outputs_of(process)[0]) == 2_000_000


def test_a_program_that_breaks_says_so(machine: WindowsMachine) -> None:
    def program(process: Process) -> int:
        raise ZeroDivisionError(process.pid)

    process = _launch(machine, program)

    assert "the WinRM protocol lab broke: ZeroDivisionError" in outputs_of(process)[1]
    assert process.exit_code == 1
