"""Commands on a session: streams, bounds, ends, and connections that break."""

import contextlib
import os
import signal
import threading
import time

import psutil
import pytest

from config.causes import Cause
from lab.sshd import Sshd, SshdFactory
from tests.support.ssh import PATIENT, QUICK, connected, loss, output, run
from workers.transports.base import TransportError

MEGABYTE = 1024 * 1024


def test_output_of_many_megabytes_comes_through_whole(sshd: Sshd) -> None:
    with connected(sshd.target()) as session:
        produced, status = run(session, f"head -c {20 * MEGABYTE} /dev/zero")
    assert (len(produced), status) == (20 * MEGABYTE, 0)


def test_input_of_many_megabytes_comes_through_whole(sshd: Sshd) -> None:
    data = os.urandom(MEGABYTE) * 8
    with connected(sshd.target()) as session, contextlib.closing(session.start("wc -c")) as follow:
        follow.write(data, 60)
        follow.end_input()
        assert int(output(follow)) == len(data)


def test_errors_are_bounded_and_hold_nothing_up(sshd: Sshd) -> None:
    with connected(sshd.target()) as session:
        follow = session.start(f"head -c {4 * MEGABYTE} /dev/zero >&2; echo done")
        with contextlib.closing(follow):
            assert output(follow) == b"done\n"
            assert len(follow.errors()) == 64 * 1024


def test_read_gives_none_while_nothing_comes(sshd: Sshd) -> None:
    with connected(sshd.target()) as session, contextlib.closing(session.start("read x; echo $x")) as follow:
        assert follow.read(0.1) is None
        assert follow.exit_status(0.1) is None
        follow.write(b"now\n", 5)
        assert follow.read(10) == b"now\n"


def test_signal_shows_in_the_exit_code(sshd: Sshd) -> None:
    with connected(sshd.target()) as session:
        assert run(session, "kill -TERM $$")[1] == 128 + signal.SIGTERM


def test_several_commands_run_at_once_on_one_login(sshd: Sshd) -> None:
    with connected(sshd.target()) as session:
        follows = [session.start(f"read x; echo {number}-$x") for number in range(5)]
        for follow in reversed(follows):
            follow.write(b"go\n", 5)
        assert [output(follow) for follow in follows] == [f"{number}-go\n".encode() for number in range(5)]
        for follow in follows:
            follow.close()
    assert sshd.logins() == 1


def test_close_from_another_thread_wakes_a_writer_that_has_no_room(sshd: Sshd) -> None:
    with connected(sshd.target()) as session:
        follow = session.start("exec sleep 60")
        ended = threading.Event()

        def write() -> None:
            with contextlib.suppress(TransportError):
                follow.write(bytes(16 * MEGABYTE), 60)
            ended.set()

        writer = threading.Thread(target=write)
        writer.start()
        # More than fits into the server's window: by then the writer waits.
        assert not ended.wait(0.3)
        follow.close()
        follow.close()
        assert ended.wait(10)
        writer.join()
        assert run(session, "echo on") == (b"on\n", 0)


def test_command_that_does_not_read_ends_the_write_by_its_deadline(sshd: Sshd) -> None:
    with connected(sshd.target()) as session, contextlib.closing(session.start("exec sleep 60")) as follow:
        with pytest.raises(TransportError) as caught:
            follow.write(bytes(16 * MEGABYTE), 0.5)
        assert caught.value.cause is Cause.COMMAND


def test_refused_session_is_command(sshd_factory: SshdFactory) -> None:
    server = sshd_factory(options={"MaxSessions": "1"})
    with connected(server.target()) as session, contextlib.closing(session.start("read x")):
        with pytest.raises(TransportError) as caught:
            session.start("true")
        assert caught.value.cause is Cause.COMMAND


def test_host_that_dies_is_connection_lost_for_whoever_reads(sshd: Sshd) -> None:
    with connected(sshd.target()) as session, contextlib.closing(session.start("echo up; read x")) as follow:
        assert follow.read(10) == b"up\n"
        sshd.kill()
        assert loss(follow).cause is Cause.CONNECTION_LOST
        assert not session.is_alive()
        with pytest.raises(TransportError):
            session.start("true")


def test_host_that_freezes_is_noticed_within_silence_and_answer(sshd: Sshd) -> None:
    with connected(sshd.target(), deadlines=QUICK) as session:
        follow = session.start("echo up; read x")
        assert follow.read(10) == b"up\n"
        frozen = [each for each in psutil.Process(sshd.pid).children(recursive=True) if each.name() == "sshd"]
        for process in frozen:
            process.suspend()
        start = time.monotonic()
        with pytest.raises(TransportError) as caught:
            follow.read(30)
        assert caught.value.cause is Cause.CONNECTION_LOST
        assert QUICK.silence + QUICK.answer - 0.1 <= time.monotonic() - start < 6
        follow.close()


def test_silent_command_on_a_living_host_is_not_taken_for_lost(sshd: Sshd) -> None:
    with connected(sshd.target(), deadlines=QUICK) as session:
        follow = session.start("read x; echo still")
        assert follow.read(2 * (QUICK.silence + QUICK.answer)) is None
        follow.write(b"\n", 5)
        assert output(follow) == b"still\n"
        follow.close()


def test_server_that_asks_for_signs_of_life_gets_them(sshd_factory: SshdFactory) -> None:
    server = sshd_factory(options={"ClientAliveInterval": "1", "ClientAliveCountMax": "2"})
    with connected(server.target(), deadlines=PATIENT) as session:
        follow = session.start("read x; echo still")
        assert follow.read(4) is None
        follow.write(b"\n", 5)
        assert output(follow) == b"still\n"
        follow.close()


def test_new_keys_in_the_middle_of_a_transfer_do_no_harm(sshd_factory: SshdFactory) -> None:
    server = sshd_factory(options={"RekeyLimit": "1M"})
    with connected(server.target()) as session:
        produced, status = run(session, "cat", os.urandom(64 * 1024))
        assert (len(produced), status) == (64 * 1024, 0)
        produced, status = run(session, f"head -c {6 * MEGABYTE} /dev/zero")
        assert (len(produced), status) == (6 * MEGABYTE, 0)
        with contextlib.closing(session.start("wc -c")) as follow:
            follow.write(bytes(6 * MEGABYTE), 60)
            follow.end_input()
            assert int(output(follow)) == 6 * MEGABYTE


def test_account_without_a_shell_says_so(sshd_factory: SshdFactory) -> None:
    server = sshd_factory(options={"ForceCommand": "echo no shell here; exit 1"})
    with connected(server.target()) as session:
        assert run(session, "true") == (b"no shell here\n", 1)
