"""Sessions are kept for the next job, checked before reuse, capped, and closed."""

import threading
import time
from collections.abc import Callable

import pytest

from config.causes import Cause
from lab.sshd import Sshd, SshdFactory
from tests.support.ssh import QUICK, output, run
from workers.connections import Connections
from workers.transports.base import TransportError


@pytest.fixture
def proxy(sshd_factory: SshdFactory) -> Sshd:
    return sshd_factory()


def eventually(happened: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.02)
    return True


def test_next_job_on_a_host_uses_the_same_login(sshd: Sshd) -> None:
    connections = Connections(idle=60)
    parents = set()
    for _ in range(3):
        with connections.session(sshd.target(), {}) as session:
            parents.add(run(session, "echo $PPID")[0])
    connections.close()
    assert len(parents) == 1
    assert sshd.logins() == 1


def test_two_jobs_at_once_have_a_session_each(sshd: Sshd) -> None:
    connections = Connections(idle=60)
    with connections.session(sshd.target(), {}) as one, connections.session(sshd.target(), {}) as two:
        assert one is not two
        assert run(one, "echo 1") == (b"1\n", 0)
        assert run(two, "echo 2") == (b"2\n", 0)
    assert connections.kept == 2
    connections.close()


def test_session_whose_host_died_is_not_used_again(sshd: Sshd) -> None:
    connections = Connections(idle=60)
    with connections.session(sshd.target(), {}) as session:
        run(session, "true")
    sshd.restart()
    with connections.session(sshd.target(), {}) as session:
        assert run(session, "echo new") == (b"new\n", 0)
    connections.close()
    assert sshd.logins() == 2


def test_session_that_breaks_in_use_is_not_kept(sshd: Sshd) -> None:
    connections = Connections(idle=60)

    def break_it() -> None:
        with connections.session(sshd.target(), {}) as session:
            follow = session.start("echo up; read x")
            assert follow.read(10) == b"up\n"
            sshd.kill()
            while follow.read(10) is None:
                pass

    with pytest.raises(TransportError) as caught:
        break_it()
    assert caught.value.cause is Cause.CONNECTION_LOST
    assert connections.kept == 0
    connections.close()


def test_session_with_a_command_still_open_is_not_kept(sshd: Sshd) -> None:
    connections = Connections(idle=60)
    with connections.session(sshd.target(), {}) as session:
        session.start("exec sleep 60")
    assert connections.kept == 0
    connections.close()


def test_host_with_another_key_or_login_gets_another_session(sshd: Sshd) -> None:
    connections = Connections(idle=60)
    with connections.session(sshd.target(), {}) as session:
        run(session, "true")
    other_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKVbNCnEFcDO5cgiU7PwuJQEn4eCU3o8P5CMbiXoaF6s"
    with (
        pytest.raises(TransportError) as caught,
        connections.session(sshd.target().model_copy(update={"host_key": (other_key,)}), {}),
    ):
        pytest.fail("a session was given for a host whose key is another")
    assert caught.value.cause is Cause.HOST_KEY_CHANGED
    connections.close()


def test_session_opened_before_its_key_was_pinned_is_used_after(sshd: Sshd) -> None:
    target = sshd.target().model_copy(update={"host_key": ()})
    connections = Connections(idle=60)
    with connections.session(target, {}, accept_unknown=True) as session:
        pins = session.observed_keys
    with connections.session(target, pins) as session:
        run(session, "true")
    connections.close()
    assert sshd.logins() == 1


def test_idle_session_is_closed_by_itself_and_so_is_its_proxy(sshd: Sshd, proxy: Sshd) -> None:
    before = threading.active_count()
    connections = Connections(idle=0.3)
    with connections.session(sshd.target(via=(proxy.hop(),)), {}) as session:
        run(session, "true")
    assert connections.kept == 1
    assert eventually(lambda: connections.kept == 0)
    # Nothing is left: no session, no connection to the proxy, no timer.
    assert eventually(lambda: threading.active_count() == before)
    connections.close()


def test_most_is_a_cap_and_the_one_that_waited_longest_goes(sshd: Sshd) -> None:
    connections = Connections(idle=60, most=2)
    for number in (1, 2, 3):
        with connections.session(sshd.target(f"web-{number}"), {}) as session:
            run(session, "true")
    assert connections.kept == 2
    with connections.session(sshd.target("web-3"), {}), connections.session(sshd.target("web-2"), {}):
        assert sshd.logins() == 3
    with connections.session(sshd.target("web-1"), {}):
        assert sshd.logins() == 4
    connections.close()


def test_kept_sessions_make_room_on_a_full_proxy(sshd: Sshd, proxy: Sshd) -> None:
    connections = Connections(idle=60, deadlines=QUICK)
    hop = proxy.hop(max_channels=2)
    for number in range(1, 6):
        with connections.session(sshd.target(f"web-{number}", via=(hop,)), {}) as session:
            assert run(session, "echo in") == (b"in\n", 0)
    assert connections.kept == 2
    connections.close()
    assert proxy.logins() == 1


def test_close_ends_everything_and_keeps_nothing_more(sshd: Sshd) -> None:
    before = threading.active_count()
    connections = Connections(idle=60)
    with connections.session(sshd.target(), {}) as lent:
        with connections.session(sshd.target(), {}) as session:
            run(session, "true")
        connections.close()
        assert output(lent.start("echo lent; exit")) == b"lent\n"
    assert connections.kept == 0
    assert eventually(lambda: threading.active_count() == before)


def test_many_threads_share_the_cache(sshd: Sshd) -> None:
    connections = Connections(idle=60)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(4):
                with connections.session(sshd.target(f"web-{number % 5}"), {}) as session:
                    assert run(session, f"echo {turn}") == (f"{turn}\n".encode(), 0)
        except BaseException as error:  # noqa: BLE001 - a thread's failure belongs to the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connections.close()
    assert failures == []
    # Two threads share a host at once at most, so no host needs more than two logins.
    assert 5 <= sshd.logins() <= 10
