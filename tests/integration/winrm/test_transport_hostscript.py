"""The Windows host script over the transport, against a stand-in machine: requests, reconnection, uploads."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.causes import Cause
from lab.windows.machine import WindowsMachine
from tasks.hostscript.control import ControlParser, Event, Finished, PutDone
from tasks.hostscript.driver import Invocation
from tests.support.certificates import CertificateAuthority
from tests.support.machine_winrm import MachineService
from tests.support.scripted_winrm import Drop
from tests.support.ssh import connected
from tests.support.windows_host import MARKER, PASSWORD, USER, WindowsHost, windows_steps
from workers.transports.base import Follow, Session, TransportError

OUTPUT_AND_CHUNKS = {"Receive"}


@pytest.fixture
def machine(tmp_path: Path) -> WindowsMachine:
    return WindowsMachine("web-1", tmp_path / "web-1", passwords={USER: PASSWORD})


@pytest.fixture
def service(
    machine: WindowsMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MachineService]:
    users = tmp_path / "users"
    users.write_text(f":{USER}:{PASSWORD}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    monkeypatch.setenv("WINRM_PASSWORD", PASSWORD)
    certificate = CertificateAuthority(tmp_path).issue("127.0.0.1")
    running = MachineService(machine=machine, user=USER, ntlm=True)
    running.secure(certificate.path, certificate.key_path)
    yield running
    running.stop()


@contextlib.contextmanager
def session_on(service: MachineService, tmp_path: Path) -> Iterator[Session]:
    with connected(service.target(ca_file=str(tmp_path / "authority.pem"))) as session:
        yield session


def events(follow: Follow, parser: ControlParser) -> list[Event]:
    """What a driver says until it ends, or says that the run has."""
    heard: list[Event] = []
    while (data := follow.read(1)) != b"":
        heard += parser.feed(data or b"")
        if any(isinstance(event, Finished) for event in heard):
            follow.end_input()
    return heard


def ten_steps(machine: WindowsMachine) -> WindowsHost:
    actions = [{"run": f"echo step {number}", "shell": "cmd"} for number in range(10)]
    return WindowsHost(machine, windows_steps(*actions))


def test_ten_steps_take_twelve_requests_at_most_besides_output(
    machine: WindowsMachine, service: MachineService, tmp_path: Path
) -> None:
    host = ten_steps(machine)
    invocation = host.script.run(host.where(), {})
    with session_on(service, tmp_path) as session:
        follow = session.start(invocation.command, stdin=invocation.stdin)
        with contextlib.closing(follow):
            progress = host.progress(events(follow, ControlParser(MARKER)))
    assert progress.result().outcome == "ok"
    assert [action for action in service.asked if action not in OUTPUT_AND_CHUNKS] == [
        *["Create", "Command", "Send", "Send!", "Delete"]
    ]
    assert service.requests - service.asked.count("Receive") <= 7


def test_run_goes_on_without_its_connection_and_is_found_again(
    machine: WindowsMachine, service: MachineService, tmp_path: Path
) -> None:
    steps = windows_steps(
        {"run": "echo begun", "shell": "cmd"},
        {"run": "ping -n 3 127.0.0.1", "shell": "cmd"},
        {"run": "echo done", "shell": "cmd"},
    )
    host = WindowsHost(machine, steps)
    parser = ControlParser(MARKER)
    heard: list[Event] = []
    invocation = host.script.run(host.where(), {})
    with session_on(service, tmp_path) as session:
        follow = session.start(invocation.command, stdin=invocation.stdin)
        while not heard:
            heard += parser.feed(follow.read(1) or b"")
        service.then("Receive", Drop())
        with pytest.raises(TransportError) as caught:
            follow.read(1)
    assert caught.value.cause is Cause.CONNECTION_LOST
    again = host.script.attach(host.where(), offset=parser.offset)
    with session_on(service, tmp_path) as session:
        follow = session.start(again.command, stdin=again.stdin)
        with contextlib.closing(follow):
            heard += events(follow, ControlParser(MARKER, offset=parser.offset))
    progress = host.progress(heard)
    assert progress.result().outcome == "ok"
    assert [step.state for step in progress.result().steps] == ["ok"] * 3


def test_upload_arrives_whole(machine: WindowsMachine, service: MachineService, tmp_path: Path) -> None:
    host = WindowsHost(machine, ())
    content = os.urandom(3_000_001)
    digest = hashlib.sha256(content).hexdigest()
    invocation = host.script.put(host.where(), "1.file", size=len(content), sha256=digest)
    with session_on(service, tmp_path) as session:
        heard = _put(session, invocation, content)
    assert any(isinstance(event, PutDone) for event in heard), heard
    assert service.asked.count("Send") + service.asked.count("Send!") == 12


def _put(session: Session, invocation: Invocation, content: bytes) -> list[Event]:
    follow = session.start(invocation.command, stdin=invocation.stdin)
    with contextlib.closing(follow):
        follow.write(content, 15)
        follow.end_input()
        return events(follow, ControlParser(MARKER))
