"""Which requests a session makes, and what it makes of each answer that a host can give."""

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from config.causes import Cause
from tests.support.scripted_winrm import NOTHING_YET, UNKNOWN, Drop, Fault, Hang, Output, Service, scripted
from tests.support.ssh import PATIENT, QUICK, connected, failure, loss, output, run
from workers.connections import Connections
from workers.transports.base import Deadlines, Follow, Session, TransportError

PIECE = 256 * 1024


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("WINRM_PASSWORD", "anything")
    with scripted() as running:
        yield running


@contextlib.contextmanager
def session_on(service: Service, deadlines: Deadlines = PATIENT) -> Iterator[Session]:
    with connected(service.target(), deadlines=deadlines) as session:
        yield session


def lost(service: Service, follow: Follow) -> TransportError:
    error = loss(follow)
    assert error.cause is Cause.CONNECTION_LOST
    assert error.detail.startswith(f"win-1 (127.0.0.1 port {service.port}): the connection was lost: ")
    return error


def test_command_with_all_of_its_input_takes_three_requests(service: Service) -> None:
    service.then("Receive", Output(b"out", exit_code=3))
    with session_on(service) as session:
        assert run(session, "x", b"the input") == (b"out", 3)
    assert service.asked == ["Create", "Command", "Send!", "Receive", "Delete"]
    assert (bytes(service.input), service.connections) == (b"the input", 1)


def test_shell_is_kept_over_all_commands(service: Service) -> None:
    with session_on(service) as session:
        for _ in range(3):
            assert run(session, "x") == (b"", 0)
    assert service.asked == ["Create", *["Command", "Send!", "Receive"] * 3, "Delete"]


def test_input_is_sent_before_output_is_waited_for_and_stays_open(service: Service) -> None:
    service.then("Receive", Fault(NOTHING_YET), Output(b"out"), Output(exit_code=0))
    with session_on(service) as session:
        follow = session.start("x", stdin=b"script")
        assert follow.read(1) is None
        assert follow.read(1) == b"out"
        follow.end_input()
        assert follow.read(1) == b""
        follow.close()
    assert service.asked == [
        *["Create", "Command", "Send", "Receive", "Receive", "Send!", "Receive", "Delete"]
    ]


def test_long_input_goes_in_pieces_and_its_end_rides_on_the_last(service: Service) -> None:
    content = bytes(range(256)) * 2500
    with session_on(service) as session:
        follow = session.start("x", stdin=b"head")
        for start in range(0, len(content), PIECE):
            follow.write(content[start : start + PIECE], 10)
        follow.end_input()
        assert output(follow) == b""
        follow.close()
    assert bytes(service.input) == b"head" + content
    assert service.asked == ["Create", "Command", "Send", "Send", "Send!", "Receive", "Delete"]


def test_streams_are_told_apart_and_bytes_stay_as_they_are(service: Service) -> None:
    clixml = b'#< CLIXML\r\n<Objs><S S="Error">bad_x000D__x000A_</S></Objs>'
    service.then("Receive", Output(stderr=clixml), Output(b"\xff\xfe\x00", clixml), Output(exit_code=1))
    with session_on(service) as session:
        follow = session.start("x")
        assert output(follow) == b"\xff\xfe\x00"
        assert follow.errors() == b"bad\r\nbad\r\n"
        follow.close()


def test_head_of_long_errors_is_kept(service: Service) -> None:
    service.then("Receive", Output(stderr=b"a" * 60_000), Output(stderr=b"b" * 60_000, exit_code=1))
    with session_on(service) as session:
        follow = session.start("x")
        assert output(follow) == b""
        assert follow.errors() == b"a" * 60_000 + b"b" * (65_536 - 60_000)
        follow.close()


@pytest.mark.parametrize("said", [3221225786, -1073741510])
def test_exit_code_is_unsigned(service: Service, said: int) -> None:
    service.then("Receive", Output(exit_code=said))
    with session_on(service) as session:
        follow = session.start("x")
        assert follow.exit_status(5) == 3221225786
        follow.close()


def test_exit_code_that_hasnt_come_leaves_the_output_to_be_read(service: Service) -> None:
    service.then("Receive", Output(b"out"), Fault(NOTHING_YET), Output(exit_code=0))
    with session_on(service) as session:
        follow = session.start("x")
        assert follow.exit_status(0.5) is None
        assert output(follow) == b"out"
        follow.close()


@pytest.mark.parametrize("action", ["Command", "Send", "Receive"])
@pytest.mark.parametrize("answer", [Drop(), Hang(), Fault(UNKNOWN)])
def test_connection_or_shell_that_is_gone_ends_the_session_and_nothing_is_sent_again(
    service: Service, action: str, answer: Drop | Hang | Fault
) -> None:
    service.then(action, answer)
    if action == "Send":
        service.then("Receive", Fault(UNKNOWN))
    with session_on(service, QUICK) as session:
        with pytest.raises(TransportError) as caught:
            session.start("x", stdin=b"script", timeout=1).read(1)
        assert caught.value.cause is Cause.CONNECTION_LOST
        assert not session.is_alive()
        asked = list(service.asked)
        with pytest.raises(TransportError):
            session.start("again")
    assert service.asked == asked
    assert (asked.count(action), service.connections) == (1, 1)


def test_silence_is_a_lost_connection_after_silence_and_answer(service: Service) -> None:
    service.then("Receive", Hang())
    with session_on(service, QUICK) as session:
        follow = session.start("x")
        begun = time.monotonic()
        error = lost(service, follow)
        assert error.detail.endswith("no answer within 2 s")
        assert 1.5 < time.monotonic() - begun < 6


def test_command_that_is_not_answered_in_time_may_run_so_the_session_is_lost(service: Service) -> None:
    service.then("Command", Fault(NOTHING_YET))
    with session_on(service) as session, pytest.raises(TransportError) as caught:
        session.start("x", timeout=1)
    assert caught.value.cause is Cause.CONNECTION_LOST


def test_fault_that_refuses_a_command_is_told_and_the_session_goes_on(service: Service) -> None:
    service.then(
        "Command", Fault(2150859174, "This user is allowed a maximum number of 5 concurrent operations.")
    )
    with session_on(service) as session:
        with pytest.raises(TransportError) as caught:
            session.start("x")
        assert caught.value.cause is Cause.COMMAND
        assert caught.value.detail.endswith(
            "refused to run a command: This user is allowed a maximum number of 5 concurrent operations "
            "(fault 2150859174)"
        )
        assert run(session, "y") == (b"", 0)


def test_command_that_ends_before_its_input_is_read_says_so(service: Service) -> None:
    service.then("Send", Fault(232, "The pipe is being closed."))
    service.then("Receive", Output(b"usage", exit_code=2))
    with session_on(service) as session:
        follow = session.start("x")
        with pytest.raises(TransportError) as caught:
            follow.write(b"x" * 2 * PIECE, 5)
        assert caught.value.cause is Cause.COMMAND
        assert caught.value.detail.endswith("the command ended before it had read its input")
        assert (output(follow), follow.exit_status(1)) == (b"usage", 2)
        with pytest.raises(TransportError, match="ended before it had read its input"):
            follow.write(b"x" * 2 * PIECE, 5)
        follow.close()


def test_end_of_input_for_a_command_that_is_over_is_no_error(service: Service) -> None:
    service.then("Send", Fault(232, "The pipe is being closed."))
    service.then("Receive", Output(b"done", exit_code=0))
    with session_on(service) as session:
        assert run(session, "x", b"unread") == (b"done", 0)


def test_command_that_reads_nothing_says_so(service: Service) -> None:
    service.then("Send", Fault(NOTHING_YET))
    with session_on(service) as session:
        follow = session.start("x")
        with pytest.raises(TransportError) as caught:
            follow.write(b"x" * 2 * PIECE, 1)
        follow.close()
    assert caught.value.cause is Cause.COMMAND
    assert caught.value.detail.endswith("the command read nothing of its input for 1 s")


def test_command_that_still_runs_is_terminated_and_confirmed_gone(service: Service) -> None:
    service.then("Receive", Fault(NOTHING_YET), Fault(NOTHING_YET), Output(exit_code=1))
    with session_on(service) as session:
        follow = session.start("x")
        assert follow.read(1) is None
        follow.close()
        follow.close()
        assert session.is_alive()
    assert service.asked == ["Create", "Command", "Receive", "Signal", "Receive", "Receive", "Delete"]


@pytest.mark.parametrize("answer", [Drop(), Hang()])
def test_connection_that_goes_while_a_command_is_terminated_costs_the_session(
    service: Service, answer: Drop | Hang
) -> None:
    service.then("Signal", answer)
    with session_on(service, QUICK) as session:
        session.start("x").close()
        assert not session.is_alive()


def test_terminated_command_that_the_host_forgets_is_gone(service: Service) -> None:
    service.then("Receive", Fault(UNKNOWN))
    with session_on(service) as session:
        session.start("x").close()
        assert session.is_alive()


def test_command_that_doesnt_end_when_told_to_costs_the_session(service: Service) -> None:
    service.then("Receive", *[Fault(NOTHING_YET)] * 50)
    with session_on(service, QUICK) as session:
        session.start("x").close()
        assert not session.is_alive()


def test_command_whose_input_has_ended_is_not_terminated_if_it_ends_by_itself(service: Service) -> None:
    service.then("Receive", Output(b"last words", exit_code=0))
    with session_on(service) as session:
        follow = session.start("x")
        follow.end_input()
        follow.close()
    assert service.asked == ["Create", "Command", "Send!", "Receive", "Delete"]


def test_closing_from_another_thread_ends_a_wait(service: Service) -> None:
    service.then("Receive", Hang())
    caught: list[TransportError] = []
    with connected(service.target()) as session:
        follow = session.start("x")

        def read() -> None:
            try:
                follow.read(10)
            except TransportError as error:
                caught.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        while "Receive" not in service.asked:
            time.sleep(0.01)
        begun = time.monotonic()
        session.close()
        thread.join(10)
        assert [error.cause for error in caught] == [Cause.CONNECTION_LOST]
        assert time.monotonic() - begun < 8


def test_closing_gives_up_on_a_host_that_doesnt_answer(service: Service) -> None:
    service.then("Delete", Hang())
    begun = time.monotonic()
    with session_on(service):
        pass
    assert time.monotonic() - begun < 8


def test_session_is_not_kept_for_the_next_job(service: Service) -> None:
    connections = Connections(idle=60)
    for _ in range(2):
        with connections.session(service.target(), {}) as session:
            assert run(session, "x") == (b"", 0)
    with pytest.raises(RuntimeError), connections.session(service.target(), {}):
        raise RuntimeError
    assert connections.kept == 0
    assert (service.asked.count("Create"), service.asked.count("Delete"), service.connections) == (3, 3, 3)
    connections.close()


def test_full_quota_of_shells_is_told_in_the_hosts_words(service: Service) -> None:
    service.then(
        "Create", Fault(2150859173, "This user is allowed a maximum number of 30 concurrent shells.")
    )
    error = failure(service.target())
    assert (error.cause, error.stage) == (Cause.COMMAND, "login")
    assert (
        "the host opened no shell: This user is allowed a maximum number of 30 concurrent shells"
        in error.detail
    )


def test_user_who_may_open_no_shell_is_a_matter_of_the_login(service: Service) -> None:
    service.then("Create", Fault(5, "Access is denied. "))
    error = failure(service.target())
    assert (error.cause, error.stage) == (Cause.AUTH, "login")
    assert error.detail.endswith("user deploy may not open a shell: Access is denied (fault 5)")
