"""The servers that the other tests rely on do what they say."""

import socket
import subprocess

import psutil
import pytest

from lab.sshd import Sshd, SshdFactory
from tests.support.processes import comes_true
from tests.support.sshd import require
from tests.support.trouble import closing_server, full_server, http_server, silent_server


def ssh(server: Sshd, command: str, address: str = "127.0.0.1") -> subprocess.CompletedProcess[str]:
    options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
    flags = [part for option in options for part in ("-o", option)]
    login = ["-i", str(server.account.key_file), "-p", str(server.port), f"{server.account.user}@{address}"]
    return subprocess.run(
        [require("ssh"), "-F", "none", *flags, *login, command], capture_output=True, text=True, check=False
    )


def test_server_runs_a_command_at_any_loopback_address(sshd: Sshd) -> None:
    assert ssh(sshd, "echo one").stdout == "one\n"
    assert ssh(sshd, "echo two", "127.9.8.7").stdout == "two\n"
    assert ssh(sshd, "echo three", "::1").stdout == "three\n"
    assert sshd.logins() == 3


def test_killed_server_is_gone_and_restart_keeps_port_and_identity(sshd: Sshd) -> None:
    port, key = sshd.port, sshd.host_key
    sshd.kill()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    sshd.start()
    assert (sshd.port, sshd.host_key) == (port, key)
    assert ssh(sshd, "echo back").stdout == "back\n"


def test_only_the_sessions_of_one_address_are_killed(sshd: Sshd) -> None:
    reach = socket.create_connection
    with reach(("127.0.0.5", sshd.port)) as first, reach(("127.0.0.6", sshd.port)) as second:
        assert first.recv(4) == b"SSH-"
        assert second.recv(4) == b"SSH-"
        assert sshd.kill_sessions("127.0.0.5") >= 1
        first.settimeout(5)
        while first.recv(4096):
            pass
        assert sshd.kill_sessions("127.0.0.6") >= 1


@pytest.mark.parametrize("keeps", [True, False])
def test_what_outlives_its_session_is_the_servers_where_it_keeps_orphans(
    sshd_factory: SshdFactory, *, keeps: bool
) -> None:
    server = sshd_factory(keeps_orphans=keeps)
    orphan = psutil.Process(int(ssh(server, "setsid sleep 60 < /dev/null > /dev/null 2>&1 & echo $!").stdout))
    try:
        assert comes_true(
            lambda: not any(each.name() == "sshd" for each in psutil.Process(server.pid).children())
        )
        assert (orphan.ppid() == server.pid) is keeps
        assert (server.kill_sessions() == 1) is keeps
    finally:
        if not keeps:
            orphan.kill()


def test_options_reach_the_server(sshd_factory: SshdFactory) -> None:
    server = sshd_factory(options={"ForceCommand": "echo forced"})
    assert ssh(server, "echo asked").stdout == "forced\n"


def test_trouble_servers_say_nothing_close_and_speak_http() -> None:
    with silent_server() as silent, closing_server() as closing, http_server() as http:
        with socket.create_connection(("127.0.0.1", closing.port)) as link:
            assert link.recv(1) == b""
        with socket.create_connection(("127.0.0.1", http.port)) as link:
            assert link.recv(4) == b"HTTP"
        with socket.create_connection(("127.0.0.1", silent.port)) as link:
            link.settimeout(0.05)
            try:
                link.recv(1)
            except TimeoutError:
                return
            raise AssertionError("the silent server spoke")


def test_full_server_answers_no_connect() -> None:
    with full_server() as port, socket.socket() as probe:
        probe.settimeout(0.2)
        try:
            probe.connect(("127.0.0.1", port))
        except TimeoutError:
            return
        raise AssertionError("the full server accepted")
