"""The lab's WinRM service, asked by clients that nobody here wrote: pywinrm, pypsrp and awinrm."""

import asyncio
import dataclasses
import hashlib
from typing import Any

import awinrm
import pytest
import winrm
from pypsrp.shell import Process, WinRS
from pypsrp.wsman import WSMan
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError

from tests.support.winrm_lab import ADDRESS, PASSWORD, USER, Bench, echo, prints

NTLM_OVER_HTTP = 3
"""A login there: refused without proof, then two messages of NTLM, the last with an empty body."""


def allow(lab: Bench, **changes: Any) -> None:
    lab.host.configuration = dataclasses.replace(lab.host.configuration, **changes)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_pywinrm_runs_a_command_with_ntlm(lab: Bench, scheme: str) -> None:
    answer = lab.pywinrm(scheme).run_cmd("echo", ["hello"])
    assert (answer.std_out, answer.std_err, answer.status_code) == (b"hello\r\n", b"", 0)
    assert len(lab.host.shells) == 0


def test_session_of_pywinrm_takes_eight_requests(lab: Bench) -> None:
    lab.pywinrm("http").run_cmd("echo hello")
    assert lab.host.requests == {
        "Login": NTLM_OVER_HTTP,
        "Create": 1,
        "Command": 1,
        "Receive": 1,
        "Signal": 1,
        "Delete": 1,
    }


def test_messages_over_http_are_sealed(lab: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    session, bodies = lab.pywinrm("http"), []
    session.run_cmd("echo hello")
    http = session.protocol.transport.build_session()
    send = http.send

    def noted(request: Any, **options: Any) -> Any:
        answer = send(request, **options)
        bodies.extend(body for body in (request.body, answer.content) if body)
        return answer

    monkeypatch.setattr(http, "send", noted)
    assert session.run_cmd("echo secret-word").std_out == b"secret-word\r\n"
    assert len(bodies) >= 10
    assert all(b"HTTP-SPNEGO-session-encrypted" in body and b"Envelope" not in body for body in bodies)


def test_pywinrm_logs_in_with_basic_where_it_is_allowed(lab: Bench) -> None:
    with pytest.raises(InvalidCredentialsError):
        lab.pywinrm("https", transport="basic").run_cmd("echo hello")
    allow(lab, basic=True)
    assert lab.pywinrm("https", transport="basic").run_cmd("echo hello").std_out == b"hello\r\n"


def test_pywinrm_logs_in_with_a_certificate(lab: Bench) -> None:
    mine = lab.authority.issue("deploy", client=True)
    other = lab.authority.issue("other", client=True)
    allow(lab, client_authority=lab.authority.path, certificate_users={mine.fingerprint: USER})

    def session(certificate: Any) -> winrm.Session:
        files = {"cert_pem": str(certificate.path), "cert_key_pem": str(certificate.key_path)}
        return lab.pywinrm("https", transport="certificate", **files)

    assert session(mine).run_cmd("echo %USERNAME%").std_out == b"Administrator\r\n"
    with pytest.raises(InvalidCredentialsError):
        session(other).run_cmd("echo hello")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_wrong_password_is_refused(lab: Bench, scheme: str) -> None:
    with pytest.raises(InvalidCredentialsError):
        lab.pywinrm(scheme, "wrong").run_cmd("echo hello")
    assert lab.host.requests["Create"] == 0


def test_message_that_is_not_encrypted_is_refused_over_http_as_windows_does(lab: Bench) -> None:
    plain = {"message_encryption": "never"}
    with pytest.raises(WinRMTransportError, match="Code 500"):
        lab.pywinrm("http", **plain).run_cmd("echo hello")
    allow(lab, allow_unencrypted=True)
    assert lab.pywinrm("http", **plain).run_cmd("echo hello").std_out == b"hello\r\n"


def test_machines_in_one_process_have_their_own_passwords(lab: Bench) -> None:
    lab.host.machine.passwords[USER] = "another"
    with pytest.raises(InvalidCredentialsError):
        lab.pywinrm("http").run_cmd("echo hello")
    assert lab.pywinrm("http", "another").run_cmd("echo hello").status_code == 0


def test_pywinrm_gives_raw_input_to_a_command(lab: Bench) -> None:
    lab.starts("echo-input", echo)
    protocol, content = lab.protocol("http"), bytes(range(256)) * 400
    shell = protocol.open_shell(codepage=65001)
    command = protocol.run_command(shell, "echo-input", console_mode_stdin=False)
    protocol.send_command_input(shell, command, content)
    protocol.send_command_input(shell, command, b"end", end=True)
    assert protocol.get_command_output(shell, command) == (content + b"end", b"", 0)
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)


def test_output_beyond_what_the_client_takes_at_once_comes_in_parts(lab: Bench) -> None:
    content = bytes(range(256)) * 2000
    lab.starts("much", prints(content, b"oops", 3221225786))
    answer = lab.pywinrm("https").run_cmd("much")
    assert hashlib.sha256(answer.std_out).digest() == hashlib.sha256(content).digest()
    assert (answer.std_err, answer.status_code) == (b"oops", 3221225786)
    assert lab.host.requests["Receive"] > len(content) // 153_600


@pytest.mark.parametrize(
    ("scheme", "options"),
    [
        ("http", {"auth": "negotiate"}),
        ("http", {"auth": "ntlm"}),
        ("https", {"auth": "negotiate"}),
        ("https", {"auth": "ntlm", "encryption": "always"}),
        ("https", {"auth": "negotiate", "negotiate_send_cbt": False}),
    ],
)
def test_pypsrp_runs_a_process_in_its_shell(lab: Bench, scheme: str, options: dict[str, Any]) -> None:
    with lab.pypsrp(scheme, **options) as connection:
        assert (_ran(connection)) == (b"hello\r\n", b"", 0)
    assert len(lab.host.shells) == 0


def _ran(connection: WSMan) -> tuple[bytes, bytes, int]:
    with WinRS(connection, environment={"GREETING": "hello"}, working_directory="C:\\") as shell:
        process = Process(shell, "echo", ["%GREETING%"])
        process.invoke()
        return process.stdout, process.stderr, process.rc


def test_pypsrp_sends_input_and_chooses_the_ids(lab: Bench) -> None:
    lab.starts("echo-input", echo)
    with (
        lab.pypsrp("https") as connection,
        WinRS(connection, id="11111111-1111-1111-1111-111111111111") as shell,
    ):
        process = Process(shell, "echo-input", id="22222222-2222-2222-2222-222222222222")
        process.begin_invoke()
        process.send(b"some words", end=True)
        process.end_invoke()
        assert (process.stdout, process.rc) == (b"some words", 0)
        assert shell.id == "11111111-1111-1111-1111-111111111111"


def test_awinrm_runs_a_command(lab: Bench) -> None:
    async def ran() -> tuple[bytes, bytes, int]:
        url = f"http+ntlm-password://{USER}:{PASSWORD}@{ADDRESS}:{lab.http.port}"
        async with awinrm.Session(url) as session:
            return await session.run_cmd("echo hello")

    assert asyncio.run(ran()) == (b"hello\r\n", b"", 0)
