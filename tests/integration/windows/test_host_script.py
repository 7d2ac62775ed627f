"""The Windows host script, its units carried out by the lab in Python."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.causes import Cause
from config.errors import BadInputError
from lab.package_server import PackageServer
from lab.windows.machine import Iis, Service, WindowsMachine
from lab.windows.processes import KILLED_EXIT_CODE, Process
from tasks.hostscript.control import (
    Busy,
    ControlParser,
    DriverFailed,
    Finished,
    Output,
    PutDone,
    PutHas,
    Refused,
    Status,
    Stopped,
)
from tasks.outcomes import Outcome, StepState
from tests.support.processes import comes_true
from tests.support.units import SUMS, sums
from tests.support.windows_host import MARKER, PASSWORD, USER, WindowsHost, events_of, windows_steps

pytestmark = pytest.mark.integration
Host = Callable[..., WindowsHost]


@pytest.fixture
def machine(tmp_path: Path) -> WindowsMachine:
    return WindowsMachine("desk-1", tmp_path, passwords={USER: PASSWORD})


@pytest.fixture
def host(machine: WindowsMachine) -> Host:
    def made(
        *actions: dict[str, Any], run_id: str = "r1", detached: bool = True, **parameters: str
    ) -> WindowsHost:
        return WindowsHost(machine, windows_steps(*actions, **parameters), run_id=run_id, detached=detached)

    return made


def _cmd(text: str, **more: Any) -> dict[str, Any]:
    return {"run": text, "shell": "cmd", **more}


def _printed(events: list[Any]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Output))


def test_the_lab_plays_the_units_as_they_are() -> None:
    assert json.loads(SUMS.read_text()) == sums()


def test_ten_steps_in_one_script(host: Host) -> None:
    windows = host(
        *(
            _cmd(f"echo step {number} on %LONGSHORE_HOST%>>C:\\ledger.txt&& echo {number}")
            for number in range(10)
        )
    )

    events = windows.run_to_end(windows.script.run(windows.where(), {"LONGSHORE_HOST": "desk-1"}))

    progress = windows.progress(events)
    assert events[0] == Status(state="new", size=0)
    assert progress.result().outcome is Outcome.OK
    assert [step.state for step in progress.steps] == [StepState.OK] * 10
    assert _printed(events).split() == [str(number).encode() for number in range(10)]
    ledger = windows.machine.place("C:\\ledger.txt").read_text().splitlines()
    assert ledger == [f"step {number} on desk-1" for number in range(10)]


def test_output_that_drips_comes_in_few_pieces_and_the_end_at_once(host: Host) -> None:
    """Each piece is a request of the worker's."""

    def drips(process: Process) -> int:
        for number in range(30):
            process.print(f"{number}")
            process.wait(0.05)
        return 0

    windows = host(_cmd("drips"))
    windows.machine.programs["drips"] = lambda _: drips
    driver, pieces = windows.started(windows.script.run(windows.where(), {})), list[bytes]()
    while parts := driver.outputs.take(20.0):
        pieces.append(b"".join(data for _, data in parts))

    assert b"finish" in pieces[-1]
    assert 3 <= len(pieces) <= 8, pieces
    printed = _printed([event for piece in [b"".join(pieces)] for event in ControlParser(MARKER).feed(piece)])
    assert printed.split() == [b"%d" % number for number in range(30)]


def test_another_driver_follows_from_where_the_first_was_killed(host: Host) -> None:
    windows = host(_cmd("echo one"), _cmd("ping -n 3 127.0.0.1>nul\necho two"))
    first = windows.started(windows.script.run(windows.where(1), {}))
    seen: list[Any] = []
    parser = ControlParser(MARKER)
    while not any(isinstance(event, Output) for event in seen):
        for _, data in first.outputs.take(5.0):
            seen += parser.feed(data)
    first.kill()
    offset = parser.offset

    later = windows.run_to_end(windows.script.attach(windows.where(2), offset=offset), offset=offset)

    assert later[0].state == "running"
    progress = windows.progress(seen + later)
    assert progress.result().outcome is Outcome.OK
    assert _printed(seen + later) == b"one\r\ntwo\r\n"


def test_a_runner_in_the_shell_dies_with_the_shell(host: Host) -> None:
    windows = host(_cmd("ping -n 30 127.0.0.1>nul"), detached=False)
    driver = windows.started(windows.script.run(windows.where(1), {}))
    assert comes_true((windows.directory / "go.1").exists, 5.0)
    windows.machine.processes.kill_tree(driver.pid, driver.started)

    events = windows.run_to_end(windows.script.probe(windows.where(2)))

    assert [(event.state, event.detail) for event in events if isinstance(event, Status)] == [
        ("gone", "killed")
    ]


def test_a_killed_runner_goes_on_where_a_worker_says(host: Host) -> None:
    windows = host(_cmd("echo one>>C:\\ledger.txt"), _cmd("call C:\\second.cmd", idempotent=True))
    second = windows.machine.place("C:\\second.cmd")
    second.write_text("ping -n 60 127.0.0.1>nul\n")
    driver = windows.started(windows.script.run(windows.where(1), {}))
    assert comes_true(lambda: b"start 2" in _log(windows), 5.0)
    pid, started = (int(word) for word in (windows.directory / "go.1").read_text().split())
    windows.machine.processes.kill_tree(pid, started)
    events = list(events_of(driver))
    second.write_text("echo two>>C:\\ledger.txt\n")

    again = windows.run_to_end(windows.script.attach(windows.where(2)))
    progress = windows.progress(again)
    first = progress.resume_from()
    assert first == 2
    later = windows.run_to_end(windows.script.resume(windows.where(3), {}, first_step=2))

    assert not any(isinstance(event, Finished) for event in events)
    assert windows.progress(later).result().outcome is Outcome.OK
    assert windows.machine.place("C:\\ledger.txt").read_text().splitlines() == ["one", "two"]


def test_a_run_is_not_resumed_while_processes_of_it_run(host: Host) -> None:
    windows = host(_cmd("ping -n 60 127.0.0.1>nul", idempotent=True))
    driver = windows.started(windows.script.run(windows.where(1), {}))
    assert comes_true(lambda: b"start 1" in _log(windows), 5.0)
    pid, _ = (int(word) for word in (windows.directory / "go.1").read_text().split())
    windows.machine.processes.named(pid).kill()
    list(events_of(driver))

    asked = windows.run_to_end(windows.script.probe(windows.where(2)))
    resumed = windows.run_to_end(windows.script.resume(windows.where(2), {}, first_step=1))
    stopped = windows.run_to_end(windows.script.stop(windows.where(2), grace=1))

    for events in (asked, resumed):
        status = next(event for event in events if isinstance(event, Status))
        assert (status.state, status.detail.split()[0]) == ("gone", "orphans")
        assert windows.progress(events).resume_from() is None
    assert _said(stopped) == [Stopped(result="gone")]
    assert windows.machine.processes.running() == []


def _log(windows: WindowsHost) -> bytes:
    log = windows.directory / "log"
    return log.read_bytes() if log.exists() else b""


def test_a_restarted_host_says_so_and_begins_nothing_again(host: Host) -> None:
    windows = host(_cmd("ping -n 60 127.0.0.1>nul"))
    windows.started(windows.script.run(windows.where(1), {}))
    assert comes_true(lambda: b"start 1" in _log(windows), 5.0)

    windows.machine.reboot()
    events = windows.run_to_end(windows.script.run(windows.where(2), {}))

    result = windows.progress(events).result()
    assert (result.outcome, result.cause) == (Outcome.INDETERMINATE, Cause.HOST_RESTARTED)


def test_stop_ends_the_step_and_what_it_started(host: Host) -> None:
    windows = host(_cmd("ping -n 60 127.0.0.1>nul"))
    driver = windows.started(windows.script.run(windows.where(1), {}))
    assert comes_true(lambda: b"start 1" in _log(windows), 5.0)

    events = windows.run_to_end(windows.script.stop(windows.where(1), grace=1))

    assert _said(events) == [Stopped(result="gone")]
    assert windows.progress(list(events_of(driver))).result().outcome is Outcome.CANCELLED
    assert [each.command_line for each in windows.machine.processes.running()] == []


def test_what_never_began_never_will_after_stop(host: Host) -> None:
    windows = host(_cmd("echo one>>C:\\ledger.txt"))

    assert _said(windows.run_to_end(windows.script.stop(windows.where(1), grace=1))) == [
        Stopped(result="never")
    ]
    later = windows.run_to_end(windows.script.run(windows.where(2), {}))

    assert windows.progress(later).result().outcome is Outcome.CANCELLED
    assert not windows.machine.place("C:\\ledger.txt").exists()


def _said(events: list[Any]) -> list[Any]:
    return [event for event in events if not isinstance(event, Output)]


def test_a_stale_driver_is_refused(host: Host) -> None:
    windows = host(_cmd("echo one"))
    windows.run_to_end(windows.script.run(windows.where(7), {}))

    assert _said(windows.run_to_end(windows.script.attach(windows.where(6)))) == [Refused(epoch=1, number=7)]


def test_two_runs_on_one_host_do_not_overlap(host: Host, machine: WindowsMachine) -> None:
    first, second = host(_cmd("ping -n 60 127.0.0.1>nul")), host(_cmd("echo two"), run_id="r2")
    first.started(first.script.run(first.where(), {}))
    assert comes_true((first.directory / "go.1").exists, 5.0)

    assert _said(second.run_to_end(second.script.run(second.where(), {}))) == [Busy(run_id="r1")]

    machine.reboot()
    events = second.run_to_end(second.script.run(second.where(2), {}))
    assert second.progress(events).result().outcome is Outcome.OK


def test_a_step_past_its_time_is_ended(host: Host) -> None:
    windows = host(_cmd("ping -n 60 127.0.0.1>nul", timeout="1s"), _cmd("echo never"))

    result = windows.progress(windows.run_to_end(windows.script.run(windows.where(), {}))).result()

    assert (result.outcome, result.cause) == (Outcome.TIMED_OUT, Cause.STEP_TIMEOUT)
    assert result.steps[1].state is StepState.PENDING


def test_a_full_disk_has_its_cause(host: Host, machine: WindowsMachine) -> None:
    windows = host(_cmd("echo one"))
    machine.trouble.disk_full = True

    failed = _said(windows.run_to_end(windows.script.run(windows.where(), {})))[0]
    assert isinstance(failed, DriverFailed)
    assert failed.cause is Cause.DISK_FULL


def test_a_refused_wmi_begins_nothing_and_says_so(host: Host, machine: WindowsMachine) -> None:
    machine.trouble.wmi_refused = True
    windows = host(_cmd("echo one"))

    failed = _said(windows.run_to_end(windows.script.run(windows.where(), {})))[0]

    assert failed == DriverFailed(cause=Cause.COMMAND, detail="Win32_Process.Create answered 2")
    again = host(_cmd("echo one"), detached=False)
    events = again.run_to_end(again.script.run(again.where(2), {}))
    assert again.progress(events).result().outcome is Outcome.OK


def test_an_upload_goes_on_where_it_was_cut(host: Host, tmp_path: Path) -> None:
    source = tmp_path / "app.bin"
    source.write_bytes(bytes(range(256)) * 4096)
    content = source.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    windows = host({"upload": {"from": str(source), "to": "C:\\app\\app.bin"}})
    put = windows.script.put(windows.where(), "1.file", size=len(content), sha256=sha256)
    cut = windows.started(put)
    cut.stdin.feed(content[:300_000])
    cut.stdin.end()
    assert _said(list(events_of(cut))) == [PutHas(size=0)]

    rest = windows.started(put)
    rest.stdin.feed(content[300_000:])

    assert _said(list(events_of(rest))) == [PutHas(size=300_000), PutDone(name="1.file")]
    result = windows.progress(windows.run_to_end(windows.script.run(windows.where(), {}))).result()
    assert result.outcome is Outcome.OK
    assert windows.machine.place("C:\\app\\app.bin").read_bytes() == content


def test_a_package_is_pulled_once_and_only_as_it_should_be(host: Host, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "shop.zip").write_bytes(b"content" * 100_000)
    right = hashlib.sha256(b"content" * 100_000).hexdigest()
    with PackageServer(tmp_path / "served", log=tmp_path / "log") as server:
        pulls = [
            {"name": name, "fetch": {"url": f"{server.url}/shop.zip", "sha256": checksum, "to": to}}
            for name, checksum, to in (
                ("first", right, "C:\\packages\\shop.zip"),
                ("again", right, "C:\\packages\\shop.zip"),
                ("another", "0" * 64, "C:\\packages\\other.zip"),
            )
        ]
        windows = host(*pulls)
        events = windows.run_to_end(windows.script.run(windows.where(), {}))
        pulled = [access.path for access in server.log.read()]

    result = windows.progress(events).result()
    assert [step.state for step in result.steps] == [StepState.OK, StepState.OK, StepState.FAILED]
    assert (result.outcome, result.cause) == (Outcome.FAILED, Cause.CHECKSUM)
    assert pulled == ["/shop.zip"] * 2
    packages = windows.machine.place("C:\\packages")
    assert [each.name for each in packages.iterdir()] == ["shop.zip"]
    assert (packages / "shop.zip").read_bytes() == b"content" * 100_000


def test_a_package_is_unpacked_and_linked_and_services_are_set(host: Host, machine: WindowsMachine) -> None:
    machine.services["shop"] = Service()
    machine.iis = Iis(sites={"Shop": True}, app_pools={"ShopPool": True})
    with zipfile.ZipFile(machine.place("C:\\shop.zip"), "w") as packed:
        packed.writestr("bin/shop.exe", "content")
    windows = host(
        {"unpack": {"archive": "C:\\shop.zip", "to": "C:\\shop\\{{ version }}"}},
        {"link": {"from": "C:\\shop\\current", "to": "C:\\shop\\{{ version }}"}},
        {"service": {"name": "Shop", "state": "restarted"}},
        {"service": {"name": "Shop", "state": "enabled"}},
        {"iis": {"app_pool": "ShopPool", "state": "recycled"}},
        {"iis": {"site": "Shop", "state": "stopped"}},
        version="1.0",
    )

    result = windows.progress(windows.run_to_end(windows.script.run(windows.where(), {}))).result()

    assert result.outcome is Outcome.OK, result
    assert machine.place("C:\\shop\\current\\bin\\shop.exe").read_text() == "content"
    assert machine.services["shop"] == Service(running=True, start_type="Automatic")
    assert machine.iis == Iis(sites={"Shop": False}, app_pools={"ShopPool": True}, recycled={"ShopPool": 1})


@pytest.mark.parametrize(
    ("action", "cause", "said"),
    [
        (
            {"fetch": {"url": "http://127.0.0.1:9/x", "sha256": "0" * 64, "to": "C:\\x"}},
            Cause.PULL_REFUSED,
            "refused",
        ),
        ({"service": {"name": "none", "state": "started"}}, Cause.STEP_FAILED, "there is no service none"),
        ({"iis": {"site": "x", "state": "started"}}, Cause.TOOL_MISSING, "WebAdministration"),
        ({"link": {"from": "C:\\l", "to": "C:\\none"}}, Cause.STEP_FAILED, "there is no folder C:\\none"),
        ({"unpack": {"archive": "C:\\n.zip", "to": "C:\\n"}}, Cause.STEP_FAILED, "there is no archive"),
        (
            {"check": {"tcp": "127.0.0.1:9", "within": "1ms"}},
            Cause.CHECK_FAILED,
            "no connection",
        ),
        ({"run": "Get-Process", "name": "x"}, Cause.STEP_FAILED, "WinRM protocol lab"),
        (_cmd("tasklist"), Cause.STEP_FAILED, "WinRM protocol lab doesn't know"),
        (_cmd("exit 3"), Cause.STEP_FAILED, "exit code 3"),
        ({"run": "exit 4"}, Cause.STEP_FAILED, "exit code 4"),
        (_cmd("echo x", **{"in": "C:\\none"}), Cause.STEP_FAILED, "there is no folder"),
    ],
)
def test_a_failing_step_says_why(host: Host, action: dict[str, Any], cause: Cause, said: str) -> None:
    windows = host(action)

    result = windows.progress(windows.run_to_end(windows.script.run(windows.where(), {}))).result()

    assert (result.outcome, result.cause) == (Outcome.FAILED, cause)
    assert said in result.message


def test_a_step_is_skipped_where_its_test_fails(host: Host) -> None:
    windows = host(
        _cmd("echo one", when="if not exist C:\\wanted exit /b 1"), {"run": "'two'", "when": "exit 0"}
    )

    events = windows.run_to_end(windows.script.run(windows.where(), {}))

    assert [step.state for step in windows.progress(events).steps] == [StepState.SKIPPED, StepState.OK]
    assert _printed(events) == b"two\r\n"


def test_an_error_in_a_condition_is_no_answer(host: Host) -> None:
    windows = host({"run": "'one'", "when": "throw 'no such thing'"})

    result = windows.progress(windows.run_to_end(windows.script.run(windows.where(), {}))).result()

    assert (result.outcome, result.steps[0].exit_code) == (Outcome.FAILED, 2)
    assert "no such thing" in result.message


def test_a_later_try_of_an_upload_ends_one_that_still_waits(host: Host) -> None:
    windows = host({"upload": {"from": "shop.zip", "to": "C:\\shop.zip"}})
    content = bytes(range(256)) * 1000
    checksum = hashlib.sha256(content).hexdigest()
    put = windows.script.put(windows.where(), "1.file", size=len(content), sha256=checksum)
    waiting = windows.started(put)
    waiting.stdin.feed(content[:1000])
    assert comes_true(lambda: any(each.stat().st_size == 1000 for each in windows.directory.rglob("*.part")))

    later = windows.started(put)
    later.stdin.feed(content[1000:])

    assert PutDone(name="1.file") in list(events_of(later))
    assert waiting.exit_code == KILLED_EXIT_CODE


def test_a_value_that_windows_takes_for_no_variable_is_refused(host: Host) -> None:
    windows = host(_cmd("echo x"))

    with pytest.raises(BadInputError, match="over 32766 characters"):
        windows.script.run(windows.where(), {"notes": "x" * 32_767})
    windows.script.run(windows.where(), {"notes": "x" * 32_766})


def test_a_changed_unit_is_refused(host: Host) -> None:
    windows = host(_cmd("echo one"))
    invocation = windows.script.probe(windows.where())
    changed = invocation.stdin.replace(b"function Write-State", b"function Write-Other")
    header, rest = changed.split(b"\n", 1)
    words = header.split()
    grown = int(words[1]) + len(changed) - len(invocation.stdin)
    process = windows.machine.start(invocation.command, user=USER)
    process.stdin.feed(b"longshore %d %s\n" % (grown, words[2]) + rest)

    parts = process.outputs.take(5.0)
    assert b"no stand-in for this text of the unit 'state'" in parts[0][1]


def test_powershell_is_kept_from_reading_the_scripts_input(host: Host) -> None:
    windows = host(_cmd("echo one"))
    invocation = windows.script.probe(windows.where())
    process = windows.machine.start(invocation.command.replace("-InputFormat None ", ""), user=USER)
    process.stdin.feed(invocation.stdin)

    assert process.ended.wait(5.0)
    assert b"-InputFormat None" in process.outputs.take(1.0)[0][1]


def test_input_that_is_cut_short_runs_nothing(host: Host) -> None:
    windows = host(_cmd("echo one>>C:\\ledger.txt"))
    invocation = windows.script.run(windows.where(), {})
    process = windows.machine.start(invocation.command, user=USER)
    process.stdin.feed(invocation.stdin[:-10])
    process.stdin.end()

    assert process.ended.wait(5.0)
    assert process.exit_code == 69
    assert not windows.directory.exists()
