"""The Windows host script over the transport, against the lab: requests, reconnection, uploads."""

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.causes import Cause
from config.fleet import Credential, SecretReference, WinRM
from config.targets import HostTarget
from lab.windows.machine import WindowsMachine
from lab.winrm.certificates import CertificateAuthority
from lab.winrm.host import WinrmHost
from lab.winrm.server import WinrmServer
from tasks.hostscript.control import ControlParser, Event, Finished, PutDone
from tasks.hostscript.driver import Invocation
from tests.support.ssh import connected
from tests.support.windows_host import MARKER, PASSWORD, USER, WindowsHost, windows_steps
from workers.transports.base import Follow, Session, TransportError

ADDRESS = "127.0.0.1"
LOGIN_REQUESTS = 3
"""At most: refused without proof, and two messages of NTLM."""


@pytest.fixture
def machine(tmp_path: Path) -> WindowsMachine:
    return WindowsMachine("web-1", tmp_path / "web-1", passwords={USER: PASSWORD})


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path / "ca")


@pytest.fixture
def service(machine: WindowsMachine, authority: CertificateAuthority) -> WinrmHost:
    return WinrmHost(machine, certificate=authority.issue(ADDRESS))


@pytest.fixture
def target(
    service: WinrmHost, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HostTarget]:
    monkeypatch.setenv("WINRM_PASSWORD", PASSWORD)
    with WinrmServer({ADDRESS: service}, tls=True) as server:
        yield HostTarget(
            name="web-1",
            cluster="win",
            os="windows",
            pool="office",
            address=ADDRESS,
            port=server.port,
            credential=Credential(user=USER, password=SecretReference(env="WINRM_PASSWORD")),
            route="direct",
            winrm=WinRM(scheme="https", transport="ntlm", ca_file=str(authority.path)),
        )


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
    machine: WindowsMachine, service: WinrmHost, target: HostTarget
) -> None:
    host = ten_steps(machine)
    invocation = host.script.run(host.where(), {})
    with connected(target) as session:
        follow = session.start(invocation.command, stdin=invocation.stdin)
        with contextlib.closing(follow):
            progress = host.progress(events(follow, ControlParser(MARKER)))
    assert progress.result().outcome == "ok"
    besides_output = service.requests - Counter(Receive=service.requests["Receive"])
    assert besides_output.pop("Login") <= LOGIN_REQUESTS
    # The second one ends the input, and isn't needed where the last output came with the exit code.
    assert besides_output.pop("Send") in {1, 2}
    assert besides_output == {"Create": 1, "Command": 1, "Delete": 1}


def test_run_goes_on_without_its_connection_and_is_found_again(
    machine: WindowsMachine, service: WinrmHost, target: HostTarget
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
    with connected(target) as session:
        follow = session.start(invocation.command, stdin=invocation.stdin)
        while not heard:
            heard += parser.feed(follow.read(1) or b"")
        service.trouble.drop_next("Receive", carried_out=False)
        with pytest.raises(TransportError) as caught:
            follow.read(1)
    assert caught.value.cause is Cause.CONNECTION_LOST
    again = host.script.attach(host.where(), offset=parser.offset)
    with connected(target) as session:
        follow = session.start(again.command, stdin=again.stdin)
        with contextlib.closing(follow):
            heard += events(follow, ControlParser(MARKER, offset=parser.offset))
    progress = host.progress(heard)
    assert progress.result().outcome == "ok"
    assert [step.state for step in progress.result().steps] == ["ok"] * 3


def test_commands_at_once_in_one_shell_keep_their_output_apart(
    machine: WindowsMachine, service: WinrmHost, target: HostTarget
) -> None:
    hosts = [
        WindowsHost(
            machine, windows_steps({"run": f"echo run {number}", "shell": "cmd"}), run_id=f"r{number}"
        )
        for number in range(3)
    ]
    with connected(target) as session, contextlib.ExitStack() as open_follows:
        follows = []
        for host in hosts:
            invocation = host.script.run(host.where(), {})
            follow = session.start(invocation.command, stdin=invocation.stdin)
            follows.append(open_follows.enter_context(contextlib.closing(follow)))
        results = [
            host.progress(events(follow, ControlParser(MARKER)))
            for host, follow in reversed(list(zip(hosts, follows, strict=True)))
        ]
    assert [progress.result().outcome for progress in results] == ["ok"] * 3
    assert [(host.directory / "log").read_bytes().count(b"run ") for host in hosts] == [1] * 3
    assert service.requests["Create"] == 1


def test_upload_arrives_whole(machine: WindowsMachine, service: WinrmHost, target: HostTarget) -> None:
    host = WindowsHost(machine, ())
    content = os.urandom(3_000_001)
    digest = hashlib.sha256(content).hexdigest()
    invocation = host.script.put(host.where(), "1.file", size=len(content), sha256=digest)
    with connected(target) as session:
        heard = _put(session, invocation, content)
    assert any(isinstance(event, PutDone) for event in heard), heard
    assert service.requests["Send"] == 12


def _put(session: Session, invocation: Invocation, content: bytes) -> list[Event]:
    follow = session.start(invocation.command, stdin=invocation.stdin)
    with contextlib.closing(follow):
        follow.write(content, 15)
        follow.end_input()
        return events(follow, ControlParser(MARKER))
