"""The lab's WinRM service says no as Windows does: with its faults, codes and limits."""

import dataclasses
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from pypsrp.shell import Process, SignalCode, WinRS
from winrm.exceptions import WinRMOperationTimeoutError, WSManFaultError
from winrm.protocol import Protocol

from lab.windows.processes import Process as MachineProcess
from tests.support.processes import comes_true
from tests.support.winrm_lab import ADDRESS, Bench, echo, prints, sleeps

UNKNOWN = 2150858843


@contextmanager
def shell_on(lab: Bench, **options: Any) -> Iterator[tuple[Protocol, str]]:
    """A protocol that gives up soon, with a shell."""
    protocol = lab.protocol("https", operation_timeout_sec=1, read_timeout_sec=5)
    shell = protocol.open_shell(**options)
    try:
        yield protocol, shell
    finally:
        protocol.transport.close_session()


def fault_of(caught: pytest.ExceptionInfo[WSManFaultError]) -> tuple[int | None, str | None]:
    return caught.value.wsman_fault_code, caught.value.fault_subcode


def configure(lab: Bench, **changes: Any) -> None:
    lab.host.configuration = dataclasses.replace(lab.host.configuration, **changes)


def test_receive_without_output_times_out(lab: Bench) -> None:
    lab.starts("sleeps", sleeps)
    with shell_on(lab) as (protocol, shell):
        command = protocol.run_command(shell, "sleeps")
        with pytest.raises(WinRMOperationTimeoutError):
            protocol.get_command_output_raw(shell, command)


def test_send_to_a_command_that_reads_nothing_times_out(lab: Bench) -> None:
    lab.starts("sleeps", sleeps)
    with shell_on(lab) as (protocol, shell):
        command = protocol.run_command(shell, "sleeps")
        for _ in range(2):
            protocol.send_command_input(shell, command, bytes(200_000))
        with pytest.raises(WinRMOperationTimeoutError):
            protocol.send_command_input(shell, command, b"more")


def test_shell_that_is_not_there_is_unknown(lab: Bench) -> None:
    protocol = lab.protocol()
    with pytest.raises(WSManFaultError, match="shell was not found") as caught:
        protocol.run_command("11111111-1111-1111-1111-111111111111", "echo hello")
    assert fault_of(caught) == (UNKNOWN, "w:InvalidSelectors")


def test_command_that_is_not_there_is_unknown(lab: Bench) -> None:
    with (
        shell_on(lab) as (protocol, shell),
        pytest.raises(WSManFaultError, match="command identifier") as caught,
    ):
        protocol.get_command_output_raw(shell, "11111111-1111-1111-1111-111111111111")
    assert fault_of(caught) == (UNKNOWN, "w:InvalidSelectors")


def test_command_is_unknown_once_its_end_was_told(lab: Bench) -> None:
    with shell_on(lab) as (protocol, shell):
        command = protocol.run_command(shell, "echo hello")
        protocol.get_command_output(shell, command)
        with pytest.raises(WSManFaultError) as caught:
            protocol.get_command_output_raw(shell, command)
        assert fault_of(caught)[0] == UNKNOWN
        protocol.cleanup_command(shell, command)


def test_terminated_command_is_gone_with_what_it_started(lab: Bench) -> None:
    machine, children = lab.host.machine, []

    def parent(process: MachineProcess) -> int:
        started = {"environment": {}, "directory": "C:\\", "command_line": "child"}
        children.append(machine.launch(sleeps, parent=process.pid, **started))
        return sleeps(process)

    lab.starts("parent", parent)
    with lab.pypsrp("https") as connection, WinRS(connection) as shell:
        process = Process(shell, "parent")
        process.begin_invoke()
        assert comes_true(lambda: bool(children))
        running = machine.processes.running
        process.signal(SignalCode.TERMINATE)
        assert running() == []
        with pytest.raises(Exception, match="command identifier that does not exist"):
            process.signal(SignalCode.CTRL_C)


def test_interrupted_command_ends_with_the_code_of_control_c(lab: Bench) -> None:
    lab.starts("sleeps", sleeps)
    with lab.pypsrp("https") as connection, WinRS(connection) as shell:
        process = Process(shell, "sleeps")
        process.begin_invoke()
        process.signal(SignalCode.CTRL_C)
        process.end_invoke()
        assert process.rc == 0xC000013A


def test_deleted_shell_takes_its_commands_along_and_leaves_what_the_machine_detached(lab: Bench) -> None:
    lab.starts("sleeps", sleeps)
    machine = lab.host.machine
    options = {"environment": {}, "directory": "C:\\", "parent": 0}
    detached = machine.launch(sleeps, command_line="detached", **options)
    with shell_on(lab) as (protocol, shell):
        protocol.run_command(shell, "sleeps")
        protocol.run_command(shell, "sleeps")
        assert len(machine.processes.running()) == 3
        protocol.close_shell(shell)
    assert machine.processes.running() == [detached]
    detached.kill()


def test_shell_that_nobody_asks_anything_ends_with_its_commands(lab: Bench) -> None:
    lab.starts("sleeps", sleeps)
    with shell_on(lab, idle_timeout="PT0.3S") as (protocol, shell):
        protocol.run_command(shell, "sleeps")
        (process,) = lab.host.machine.processes.running()
        assert process.ended.wait(10)
        with pytest.raises(WSManFaultError) as caught:
            protocol.run_command(shell, "echo hello")
    assert fault_of(caught)[0] == UNKNOWN


def test_shell_that_is_waited_on_is_not_idle(lab: Bench) -> None:
    released = threading.Event()

    def program(process: MachineProcess) -> int:
        released.wait(10)
        return prints(b"late")(process)

    lab.starts("program", program)
    with shell_on(lab, idle_timeout="PT0.3S") as (protocol, shell):
        command = protocol.run_command(shell, "program")
        with pytest.raises(WinRMOperationTimeoutError):
            protocol.get_command_output_raw(shell, command)
        released.set()
        assert protocol.get_command_output(shell, command)[0] == b"late"


def test_shell_does_not_outlive_its_lifetime(lab: Bench) -> None:
    with lab.pypsrp("https") as connection:
        shell = WinRS(connection, lifetime=0)
        shell.open()
        with pytest.raises(Exception, match="shell was not found"):
            Process(shell, "echo hello").invoke()


def test_user_has_only_so_many_shells(lab: Bench) -> None:
    configure(lab, most_shells=2)
    protocol = lab.protocol("https")
    shells = [protocol.open_shell() for _ in range(2)]
    with pytest.raises(WSManFaultError, match="maximum number of 2 concurrent shells") as caught:
        protocol.open_shell()
    assert fault_of(caught) == (2150859173, "w:QuotaLimit")
    protocol.close_shell(shells[0], close_session=False)
    assert protocol.open_shell()


def test_user_has_only_so_many_operations_until_shells_are_gone(lab: Bench) -> None:
    configure(lab, most_operations=2)
    protocol = lab.protocol("https")
    shell = protocol.open_shell()
    for _ in range(2):
        protocol.cleanup_command(shell, protocol.run_command(shell, "echo hello"))
    with pytest.raises(WSManFaultError, match="concurrent operations") as caught:
        protocol.run_command(shell, "echo hello")
    assert fault_of(caught) == (2150859174, "w:QuotaLimit")
    protocol.close_shell(shell, close_session=False)
    assert protocol.run_command(protocol.open_shell(), "echo hello")


def test_other_users_shell_is_denied(lab: Bench) -> None:
    lab.host.machine.passwords["other"] = "Another-1"
    with shell_on(lab) as (_, shell), pytest.raises(WSManFaultError, match="Access is denied") as caught:
        lab.protocol("https", "Another-1", username="other").run_command(shell, "echo hello")
    assert fault_of(caught) == (5, "w:AccessDenied")


@pytest.mark.parametrize(("length", "refused"), [(8191, False), (8192, True)])
def test_command_line_is_8191_characters_long_at_most(lab: Bench, length: int, refused: bool) -> None:
    lab.starts("known", prints(b"ran"))
    answer = lab.pywinrm("https").run_cmd("known".ljust(length, "x"))
    expected = (b"", b"The command line is too long.\r\n", 1) if refused else (b"ran", b"", 0)
    assert (answer.std_out, answer.std_err, answer.status_code) == expected


def test_line_without_cmd_is_not_longer_either(lab: Bench) -> None:
    with shell_on(lab) as (protocol, shell), pytest.raises(WSManFaultError, match="too long") as caught:
        protocol.run_command(shell, "x" * 8192, skip_cmd_shell=True)
    assert fault_of(caught)[0] == 206


def test_request_is_500_kilobytes_long_at_most(lab: Bench) -> None:
    lab.starts("echo-input", echo)
    with shell_on(lab) as (protocol, shell):
        command = protocol.run_command(shell, "echo-input")
        protocol.send_command_input(shell, command, bytes(380_000))
        with pytest.raises(WSManFaultError, match="envelope size quota") as caught:
            protocol.send_command_input(shell, command, bytes(390_000))
    assert fault_of(caught) == (2150858790, "w:EncodingLimit")


def test_input_after_its_end_finds_the_pipe_closed(lab: Bench) -> None:
    lab.starts("echo-input", echo)
    with shell_on(lab) as (protocol, shell):
        command = protocol.run_command(shell, "echo-input")
        protocol.send_command_input(shell, command, b"all", end=True)
        with pytest.raises(WSManFaultError, match="pipe is being closed") as caught:
            protocol.send_command_input(shell, command, b"more")
    assert fault_of(caught)[0] == 232


def test_action_that_nobody_knows_is_refused(lab: Bench) -> None:
    with (
        lab.pypsrp("https") as connection,
        pytest.raises(Exception, match=r"2150858771.*does not support the action"),
    ):
        connection.get("http://schemas.microsoft.com/wbem/wsman/1/config")


def test_reboot_leaves_neither_shells_nor_processes(lab: Bench) -> None:
    lab.starts("sleeps", sleeps)
    with shell_on(lab) as (protocol, shell):
        protocol.run_command(shell, "sleeps")
        lab.host.reboot()
        assert lab.host.machine.processes.running() == []
        with pytest.raises(WSManFaultError) as caught:
            protocol.run_command(shell, "echo hello")
    assert fault_of(caught)[0] == UNKNOWN


IDENTIFY = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
    "<s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>"
)


def asked(lab: Bench, method: str, path: str, body: str, **headers: str) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(ADDRESS, lab.http.port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("WWW-Authenticate", ""), answer.read()
    finally:
        connection.close()


def test_identify_needs_no_login_and_then_tells_no_version(lab: Bench) -> None:
    status, _, body = asked(lab, "POST", "/wsman", IDENTIFY, WSMANIDENTIFY="unauthenticated")
    found = {each.tag.rpartition("}")[2]: each.text for each in ET.fromstring(body).iter()}  # noqa: S314
    assert status == 200
    assert found["ProductVersion"] == "OS: 0.0.0 SP: 0.0 Stack: 3.0"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/wsman", IDENTIFY, 401),
        ("GET", "/wsman", "", 405),
        ("POST", "/elsewhere", IDENTIFY, 404),
    ],
)
def test_stray_requests_are_refused(lab: Bench, method: str, path: str, body: str, status: int) -> None:
    answer = asked(lab, method, path, body)
    assert answer[:2] == (status, "Negotiate" if status == 401 else "")


def test_what_is_no_soap_is_a_bad_request(lab: Bench) -> None:
    assert asked(lab, "POST", "/wsman", "<oops", WSMANIDENTIFY="unauthenticated")[0] == 400
