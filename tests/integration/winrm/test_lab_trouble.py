"""The lab's WinRM service gets into trouble when it is told to, while clients are at it."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol

from lab.windows.machine import WindowsMachine
from lab.winrm.certificates import CertificateAuthority, self_signed
from lab.winrm.host import WinrmHost
from lab.winrm.server import WinrmServer
from tests.support.winrm_lab import ADDRESS, PASSWORD, USER, Bench, echo, sleeps


def impatient(lab: Bench, seconds: int = 2) -> Protocol:
    return lab.protocol("https", operation_timeout_sec=1, read_timeout_sec=seconds)


def test_latency_is_added_to_every_request(lab: Bench) -> None:
    lab.host.trouble.latency = 0.1
    begin = time.monotonic()
    lab.pywinrm("https").run_cmd("echo hello")
    assert time.monotonic() - begin >= 0.1 * lab.host.requests.total()


def test_connection_is_dropped_after_so_many_requests(lab: Bench) -> None:
    lab.host.trouble.requests_per_connection = 4
    protocol = lab.protocol("http")
    shell = protocol.open_shell()
    with pytest.raises(requests.ConnectionError):
        protocol.run_command(shell, "echo hello")
    assert lab.host.requests == {"Login": 3, "Create": 1}


@pytest.mark.parametrize(("carried_out", "running"), [(False, 0), (True, 1)])
def test_connection_is_dropped_before_or_after_a_command_was_started(
    lab: Bench,
    carried_out: bool,
    running: int,
) -> None:
    lab.starts("sleeps", sleeps)
    protocol = lab.protocol("http")
    shell = protocol.open_shell()
    lab.host.trouble.drop_next("Command", carried_out=carried_out)
    with pytest.raises(requests.ConnectionError):
        protocol.run_command(shell, "sleeps")
    assert len(lab.host.machine.processes.running()) == running


@pytest.mark.parametrize("verb", ["Send", "Receive"])
def test_connection_is_dropped_at_the_next_of_a_kind_once(lab: Bench, verb: str) -> None:
    lab.starts("echo-input", echo)
    protocol = lab.protocol("https")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "echo-input")
    lab.host.trouble.drop_next(verb, carried_out=False)
    for expected in (verb, None):
        ends = contextlib.nullcontext() if expected is None else pytest.raises(requests.ConnectionError)
        with ends:
            protocol.send_command_input(shell, command, b"input")
            protocol.get_command_output_raw(shell, command)


def test_silent_connections_are_closed(lab: Bench) -> None:
    lab.host.trouble.idle_seconds = 0.2
    with socket.create_connection((ADDRESS, lab.http.port), timeout=10) as link:
        assert link.recv(1) == b""


def test_command_hangs_until_the_switch_is_turned_back(lab: Bench) -> None:
    protocol = impatient(lab)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "echo hello")
    lab.host.trouble.hanging = frozenset({"Receive"})
    with pytest.raises(requests.Timeout):
        protocol.get_command_output_raw(shell, command)
    lab.host.trouble.hanging = frozenset()
    protocol.transport.close_session()
    assert protocol.get_command_output(shell, command)[0] == b"hello\r\n"


def test_server_stops_while_requests_hang(tmp_path: Path) -> None:
    machine = WindowsMachine("web-1", tmp_path / "web-1", passwords={USER: PASSWORD})
    host = WinrmHost(machine)
    host.trouble.hanging = frozenset({"Create"})
    server = WinrmServer({ADDRESS: host})
    with server, ThreadPoolExecutor(1) as pool:
        protocol = Protocol(
            f"http://{ADDRESS}:{server.port}/wsman",
            transport="ntlm",
            username=USER,
            password=PASSWORD,
            message_encryption="always",
            proxy=None,
            ca_trust_path=None,
        )
        pending = pool.submit(protocol.open_shell)
        while host.requests["Login"] < 3:
            time.sleep(0.01)
        server.stop()
        assert isinstance(pending.exception(10), requests.ConnectionError)


def test_logins_are_refused_while_the_switch_is_on(lab: Bench) -> None:
    lab.host.trouble.logins_refused = True
    with pytest.raises(InvalidCredentialsError):
        lab.protocol("https").open_shell()
    lab.host.trouble.logins_refused = False
    assert lab.protocol("https").open_shell()


def test_quota_is_full_while_the_switch_is_on(lab: Bench) -> None:
    lab.host.trouble.quota_full = True
    with pytest.raises(WSManFaultError) as caught:
        lab.protocol("https").open_shell()
    assert caught.value.wsman_fault_code == 2150859173


def test_shells_are_denied_to_good_logins_while_the_switch_is_on(lab: Bench) -> None:
    lab.host.trouble.access_denied = True
    with pytest.raises(WSManFaultError) as caught:
        lab.protocol("https").open_shell()
    assert caught.value.wsman_fault_code == 5


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda lab: lab.authority.issue("old", names=[ADDRESS], expired=True), "expired"),
        (lambda lab: lab.authority.issue("web-2"), "IP address mismatch"),
        (lambda lab: self_signed(lab.folder, "web-1", names=[ADDRESS]), "self-signed"),
        (
            lambda lab: CertificateAuthority(lab.folder / "other").issue("web-1", names=[ADDRESS]),
            "unable to get local issuer",
        ),
    ],
    ids=["expired", "other name", "self-signed", "other authority"],
)
def test_wrong_certificate_is_noticed(lab: Bench, wrong: Callable[[Bench], object], complaint: str) -> None:
    lab.host.certificate = wrong(lab)  # type: ignore[assignment]
    with pytest.raises(requests.exceptions.SSLError, match=complaint):
        lab.protocol("https").open_shell()


def test_certificate_is_the_one_that_its_fingerprint_says(lab: Bench) -> None:
    assert lab.host.certificate is not None
    seen = ssl.get_server_certificate((ADDRESS, lab.https.port))
    assert lab.host.certificate.path.read_text().strip() == seen.strip()


def test_cut_connection_over_https_has_pywinrm_log_in_anew(lab: Bench) -> None:
    protocol = lab.protocol("https")
    shell = protocol.open_shell()
    lab.https.drop()
    assert protocol.run_command(shell, "echo hello")
    assert lab.host.requests["Login"] == 4


def test_cut_connection_over_http_fails_the_next_call(lab: Bench) -> None:
    # pywinrm connects anew, and seals with the keys of the login before, which nobody knows there.
    protocol = lab.protocol("http")
    shell = protocol.open_shell()
    lab.http.drop()
    with pytest.raises(WinRMTransportError, match="Code 400"):
        protocol.run_command(shell, "echo hello")
    assert len(lab.host.shells) == 1


def test_one_listener_serves_machines_by_their_addresses(tmp_path: Path) -> None:
    names = {"127.0.0.2": "web-2", "127.0.0.3": "web-3"}
    hosts = {
        address: WinrmHost(WindowsMachine(name, tmp_path / name, passwords={USER: f"{PASSWORD}-{name}"}))
        for address, name in names.items()
    }
    with WinrmServer(hosts) as server:
        for address, name in names.items():
            protocol = Protocol(
                f"http://{address}:{server.port}/wsman",
                transport="ntlm",
                username=USER,
                password=f"{PASSWORD}-{name}",
                message_encryption="always",
                proxy=None,
                ca_trust_path=None,
            )
            shell = protocol.open_shell()
            answer = protocol.get_command_output(shell, protocol.run_command(shell, "echo %COMPUTERNAME%"))
            assert answer[0] == f"{name.upper()}\r\n".encode()
        with contextlib.closing(socket.create_connection((ADDRESS, server.port), timeout=10)) as nobody:
            assert nobody.recv(1) == b""
    assert server.requests["Create"] == 2
    assert server.requests["Login"] == 6
