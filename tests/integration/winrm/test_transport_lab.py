"""The transport against the WinRM protocol lab: logins, streams, limits, and what is left on the host."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from config.causes import Cause
from config.fleet import Credential, SecretReference, WinRM
from config.targets import HostTarget
from lab.windows.machine import WindowsMachine
from lab.windows.processes import Process
from lab.winrm.certificates import CertificateAuthority
from lab.winrm.host import Configuration, WinrmHost
from lab.winrm.server import WinrmServer
from tests.support.ssh import QUICK, connected, failure, output, run
from workers.connections import Connections
from workers.transports.base import TransportError

USER, PASSWORD = "deploy", "Grüße-staple-Tr0ub4dor"
ADDRESS = "127.0.0.1"


class Machine(WindowsMachine):
    """A machine with a few programs of the tests' own."""

    def start(self, command_line: str, **options: object) -> Process:
        line = command_line.removeprefix('cmd.exe /c "').removesuffix('"')
        name, _, argument = line.partition(" ")
        if name not in PROGRAMS:
            return super().start(command_line, **options)  # type: ignore[arg-type]
        return self.launch(
            lambda process: PROGRAMS[name](process, argument),
            command_line=line,
            environment=self.environment(USER),
            directory="C:\\",
            parent=0,
        )


def _swallow(process: Process, _: str) -> int:
    size = 0
    while data := process.stdin.read(1 << 20):
        size += len(data)
    process.outputs.write("stdout", b"%d" % size)
    return 0


def _spew(process: Process, argument: str) -> int:
    for number in range(int(argument)):
        process.outputs.write("stdout", b"\xff\x00%08d" % number * 1000)
        process.outputs.write("stderr", b"e" * 100)
    return 0


def _leave(_: Process, argument: str) -> int:
    return int(argument)


def _stay(process: Process, _: str) -> int:
    process.outputs.write("stdout", b"here")
    process.wait(600)
    return 0


PROGRAMS: dict[str, Callable[[Process, str], int]] = {
    "swallow": _swallow,
    "spew": _spew,
    "leave": _leave,
    "stay": _stay,
}


@dataclass
class Lab:
    """One host, with both listeners."""

    host: WinrmHost
    http: WinrmServer
    https: WinrmServer
    authority: CertificateAuthority

    def target(self, scheme: str = "https", **settings: object) -> HostTarget:
        """The host of a fleet; over https by the lab's authority."""
        trusted = {"ca_file": str(self.authority.path)} if scheme == "https" else {}
        return HostTarget(
            name="win-1",
            cluster="win",
            os="windows",
            pool="office",
            address=ADDRESS,
            port=(self.https if scheme == "https" else self.http).port,
            credential=Credential(user=USER, password=SecretReference(env="WINRM_PASSWORD")),
            route="direct",
            winrm=WinRM.model_validate({"scheme": scheme, **trusted, **settings}),
        )

    def configure(self, **changes: object) -> None:
        """Change the service's configuration."""
        self.host.configuration = replace(self.host.configuration, **changes)  # type: ignore[arg-type]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("WINRM_PASSWORD", PASSWORD)
    authority = CertificateAuthority(tmp_path / "authority")
    machine = Machine("win-1", tmp_path / "win-1", passwords={USER: PASSWORD})
    host = WinrmHost(machine, certificate=authority.issue(ADDRESS), configuration=Configuration())
    with WinrmServer({ADDRESS: host}) as http, WinrmServer({ADDRESS: host}, tls=True) as https:
        yield Lab(host, http, https, authority)


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_ntlm_logs_in_over_both_schemes(scheme: str, lab: Lab) -> None:
    # The lab, like Windows, refuses what isn't encrypted over http.
    with connected(lab.target(scheme)) as session:
        assert run(session, "swallow", b"x" * 700_000) == (b"700000", 0)
        assert run(session, "leave 3") == (b"", 3)
    logins = {"https": 2, "http": 3}[scheme]
    assert lab.host.requests == {
        "Login": logins,
        "Create": 1,
        "Command": 2,
        "Send": 4,
        "Receive": 2,
        "Delete": 1,
    }


def test_user_of_a_domain_logs_in(lab: Lab) -> None:
    target = lab.target("http")
    for name in (r"CORP\deploy", r".\Deploy"):
        user = target.credential.model_copy(update={"user": name})
        with connected(target.model_copy(update={"credential": user})) as session:
            assert run(session, "leave 0") == (b"", 0)


def test_messages_are_not_sealed_where_the_host_is_said_to_be_insecure(lab: Lab) -> None:
    lab.configure(allow_unencrypted=True, basic=True)
    for transport in ("ntlm", "basic"):
        with connected(lab.target("http", insecure=True, transport=transport)) as session:
            assert run(session, "leave 0") == (b"", 0)
    assert lab.host.requests["Unencrypted"] == 0


def test_basic_logs_in_over_https(lab: Lab) -> None:
    lab.configure(basic=True)
    with connected(lab.target(transport="basic")) as session:
        assert run(session, "leave 0") == (b"", 0)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_credssp_logs_in_over_both_schemes(scheme: str, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.configure(credssp=True)
    with connected(lab.target(scheme, transport="credssp")) as session:
        assert run(session, "swallow", b"x" * 700_000) == (b"700000", 0)
    monkeypatch.setenv("WINRM_PASSWORD", "wrong")
    error = failure(lab.target(scheme, transport="credssp"))
    assert (error.cause, error.stage) == (Cause.AUTH, "login")
    assert "user deploy was refused with credssp: the login was refused" in error.detail


def test_credssp_that_the_host_doesnt_take_is_a_refused_login(lab: Lab) -> None:
    error = failure(lab.target(transport="credssp"))
    assert error.cause is Cause.AUTH
    assert error.detail.endswith("the login was refused; the host offers Negotiate")


def test_certificate_logs_in(lab: Lab) -> None:
    user = lab.authority.issue("deploy", client=True)
    stranger = lab.authority.issue("stranger", client=True)
    lab.configure(client_authority=lab.authority.path, certificate_users={user.fingerprint: USER})
    target = lab.target(transport="certificate")
    for shown in (user, stranger):
        credential = Credential(user=USER, certificate_file=str(shown.path), key_file=str(shown.key_path))
        shows = target.model_copy(update={"credential": credential})
        if shown is stranger:
            assert failure(shows).cause is Cause.AUTH
            continue
        with connected(shows) as session:
            assert run(session, "leave 0") == (b"", 0)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_wrong_password_is_a_refused_login(scheme: str, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINRM_PASSWORD", "wrong")
    error = failure(lab.target(scheme))
    assert (error.cause, error.stage) == (Cause.AUTH, "login")
    assert (
        "user deploy was refused with ntlm: the login was refused; the host offers Negotiate" in error.detail
    )


def test_host_that_wants_encryption_says_so_to_one_who_sends_none(lab: Lab) -> None:
    error = failure(lab.target("http", insecure=True))
    assert error.stage == "login"
    assert error.cause in {Cause.COMMAND, Cause.AUTH}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_full_quota_and_a_user_without_rights(scheme: str, lab: Lab) -> None:
    lab.configure(most_shells=1)
    with connected(lab.target(scheme)):
        full = failure(lab.target(scheme))
    with connected(lab.target(scheme)):
        pass
    lab.host.trouble.access_denied = True
    denied = failure(lab.target(scheme))
    assert (full.cause, full.stage) == (Cause.COMMAND, "login")
    assert "maximum number of 1 concurrent shells" in full.detail
    assert (denied.cause, denied.stage) == (Cause.AUTH, "login")


def test_much_output_comes_through_as_it_is(lab: Lab) -> None:
    with connected(lab.target()) as session:
        follow = session.start("spew 400")
        with contextlib.closing(follow):
            printed = output(follow)
            assert printed == b"".join(b"\xff\x00%08d" % number * 1000 for number in range(400))
            assert follow.errors() == b"e" * 40_000


def test_exit_codes_are_unsigned(lab: Lab) -> None:
    with connected(lab.target()) as session:
        assert run(session, "leave 3221225786") == (b"", 3221225786)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("verb", ["Command", "Send", "Receive"])
@pytest.mark.parametrize("carried_out", [True, False])
def test_lost_answer_ends_the_session_and_nothing_is_asked_twice(
    scheme: str, verb: str, carried_out: bool, lab: Lab
) -> None:
    lab.host.trouble.drop_next(verb, carried_out=carried_out)
    with connected(lab.target(scheme)) as session:
        with pytest.raises(TransportError) as caught:
            session.start("stay", stdin=b"input").read(1)
        assert not session.is_alive()
    assert caught.value.cause is Cause.CONNECTION_LOST
    assert lab.host.requests[verb] <= 1


def test_host_that_hangs_is_lost_in_bounded_time(lab: Lab) -> None:
    with connected(lab.target(), deadlines=QUICK) as session:
        follow = session.start("stay")
        assert follow.read(2) == b"here"
        lab.host.trouble.hanging = frozenset({"Receive"})
        begun = time.monotonic()
        with pytest.raises(TransportError) as caught:
            follow.read(1)
        assert time.monotonic() - begun < 5
        lab.host.trouble.hanging = frozenset()
    assert caught.value.cause is Cause.CONNECTION_LOST


def test_idle_connection_that_the_host_closed_is_lost(lab: Lab) -> None:
    lab.host.trouble.idle_seconds = 0.2
    with connected(lab.target("http")) as session:
        assert eventually(lambda: not lab.http._links)  # noqa: SLF001 - what the lab holds open
        with pytest.raises(TransportError) as caught:
            session.start("leave 0")
    assert caught.value.cause is Cause.CONNECTION_LOST


def test_command_that_is_given_back_while_it_runs_is_gone(lab: Lab) -> None:
    with connected(lab.target()) as session:
        follow = session.start("stay")
        assert follow.read(2) == b"here"
        assert lab.host.machine.processes.running()
        follow.close()
        assert not lab.host.machine.processes.running()
        assert run(session, "leave 0") == (b"", 0)
    assert lab.host.requests["Signal"] == 1


def test_no_shell_is_left_in_any_ending(lab: Lab) -> None:
    connections = Connections(idle=60)
    with connections.session(lab.target(), {}) as session:
        run(session, "leave 0")
    with contextlib.suppress(RuntimeError), connections.session(lab.target(), {}) as session:
        session.start("stay")
        raise RuntimeError
    with connections.session(lab.target(), {}) as session:
        session.close()
    connections.close()
    assert len(lab.host.shells) == 0
    assert not lab.host.machine.processes.running()


def test_shell_of_a_lost_connection_is_left_to_its_idle_timeout(lab: Lab) -> None:
    with connected(lab.target()) as session:
        lab.https.drop()
        with pytest.raises(TransportError):
            session.start("leave 0")
    (shell,) = lab.host.shells._shells.values()  # noqa: SLF001 - what the lab holds open
    assert shell.idle_seconds == 180


def test_restarted_host_is_a_lost_connection(lab: Lab) -> None:
    with connected(lab.target()) as session:
        follow = session.start("stay")
        assert follow.read(2) == b"here"
        lab.host.reboot()
        with pytest.raises(TransportError) as caught:
            follow.read(2)
    assert caught.value.cause is Cause.CONNECTION_LOST
    assert "the host knows nothing of the command any more" in caught.value.detail
