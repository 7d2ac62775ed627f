"""The demo: all of Longshore and a lab on this machine, a verification, and deployments in batches.

It knows Longshore from outside only, as a person at a terminal does: by its commands.
"""

import argparse
import fcntl
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from lab.children import Child, ChildError, Children
from lab.fleet import SELF_HOSTED_POOL, SMALLEST_FLEET
from lab.tcp import free_port

_REPOSITORY: Final = Path(__file__).parent.parent
_LONGSHORE: Final = (sys.executable, "-m", "producer")
_FLOWER_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1
_LAST_WORDS_SECONDS: Final = 3.0
_INTERRUPTED: Final = 130


class Demo:
    """Everything that the demo has running.

    Attributes:
        directory: where the lab, the Redis data, the logs and the demo's ``env`` file are.
    """

    def __init__(self, directory: Path, hosts: int) -> None:
        self.directory = directory
        self._hosts = hosts
        self._children = Children(directory / "logs")
        self._environment: dict[str, str] = {**os.environ, "PYTHONPATH": str(_REPOSITORY)}
        self._flower_url = ""

    def start(self) -> dict[str, Any]:
        """Start all parts; returns what the lab has said about itself.

        Raises:
            ChildError: one of them can't run.
        """
        self._start_redis()
        report = self._start_lab()
        self._environment["LONGSHORE_FLEET"] = report["fleet"]
        flower = self._start_flower()
        self._start_worker("official", _read_environment(Path(report["official_environment"])))
        self._start_worker(SELF_HOSTED_POOL, _read_environment(Path(report["self_hosted_environment"])))
        self._write_environment_file()
        self._wait_for_flower(flower)
        return report

    def show(self, report: Mapping[str, Any]) -> int:
        """Verify the fleet, then deploy to each cluster; returns the first exit code that isn't 0."""
        application = report["application"]
        for words in (
            ("verify", "web", "plant", "desk"),
            ("deploy", application, "--to", "web"),
            ("deploy", application, "--to", "plant"),
            ("deploy", report["intranet"], "--to", "desk"),
        ):
            if code := self._longshore(words):
                return code
        return 0

    def stay(self, report: Mapping[str, Any]) -> NoReturn:
        """Leave everything up until Ctrl-C.

        Raises:
            ChildError: one of the parts has ended.
        """
        version, checksum = max(report["packages"].items())
        _say(
            "",
            f"Flower shows it at {self._flower_url}",
            "Everything stays up until Ctrl-C. In another terminal:",
            "",
            f"    . {shlex.quote(str(self.directory / 'env'))}",
            "    longshore runs",
            f"    longshore deploy {shlex.quote(report['application'])} --to web"
            f" --set version={version} --set checksum={checksum}",
            "",
        )
        while True:
            self._children.check()
            time.sleep(_POLL_SECONDS)

    def end(self) -> None:
        """End all parts; no process is left."""
        self._children.end_all()

    def _start_redis(self) -> None:
        password = secrets.token_urlsafe(24)
        child = self._start(
            "redis",
            [sys.executable, "-m", "workers.embedded_redis", "--directory", str(self.directory / "redis")],
            {"LONGSHORE_EMBEDDED_REDIS_PASSWORD": password},
        )
        address = f"redis://:{password}@{self._children.first_line(child)}"
        self._environment["LONGSHORE_REDIS_URL"] = f"{address}/0"
        self._environment["LONGSHORE_RECORD_URL"] = f"{address}/1"

    def _start_lab(self) -> dict[str, Any]:
        directory = str(self.directory / "lab")
        child = self._start(
            "lab",
            [sys.executable, "-m", "lab", "up", "--directory", directory, "--hosts", str(self._hosts)],
            {},
        )
        report: dict[str, Any] = json.loads(self._children.first_line(child))
        return report

    def _start_worker(self, pool: str, secrets_of_pool: Mapping[str, str]) -> None:
        self._start(f"worker-{pool}", [*_LONGSHORE, "worker", "--pool", pool], secrets_of_pool)

    def _start_flower(self) -> Child:
        port = free_port()
        self._flower_url = self._environment["LONGSHORE_FLOWER_URL"] = f"http://127.0.0.1:{port}"
        celery = [sys.executable, "-m", "celery", "-A", "workers.app", "flower"]
        options = [f"--conf={_REPOSITORY / 'config' / 'flower.py'}", f"--db={self.directory / 'flower'}"]
        return self._start("flower", [*celery, "--address=127.0.0.1", f"--port={port}", *options], {})

    def _start(self, name: str, argv: Sequence[str], more: Mapping[str, str]) -> Child:
        return self._children.start(name, argv, env={**self._environment, **more}, cwd=_REPOSITORY)

    def _wait_for_flower(self, flower: Child) -> None:
        deadline = time.monotonic() + _FLOWER_SECONDS
        while not _answers(self._flower_url):
            self._children.check()
            if time.monotonic() > deadline:
                raise ChildError(f"Flower doesn't answer after {_FLOWER_SECONDS:g} s (log: {flower.log})")
            time.sleep(_POLL_SECONDS)
        _say(f"Flower: {self._flower_url}")

    def _longshore(self, words: Sequence[str]) -> int:
        """Run one command attached to the terminal, while the parts it needs are watched."""
        _say("", f"$ longshore {shlex.join(words)}")
        command = subprocess.Popen([*_LONGSHORE, *words], env=self._environment, cwd=_REPOSITORY)
        try:
            while (code := command.poll()) is None:
                self._children.check()
                time.sleep(_POLL_SECONDS)
        finally:
            _let_end(command)
        return code

    def _write_environment_file(self) -> None:
        path = self.directory / "env"
        path.touch(mode=0o600)
        names = ("LONGSHORE_REDIS_URL", "LONGSHORE_RECORD_URL", "LONGSHORE_FLEET", "LONGSHORE_FLOWER_URL")
        path.write_text(
            "".join(f"export {name}={shlex.quote(self._environment[name])}\n" for name in names)
            # Not resolved: a virtual environment's python is a link to another's.
            + f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"\n'
            + f"cd {shlex.quote(str(_REPOSITORY))}\n"
        )


def main() -> int:
    """Start all of Longshore and a lab on this machine, verify the lab's fleet, and deploy to it."""
    parser = argparse.ArgumentParser(prog="python -m lab.demo", description=main.__doc__)
    parser.add_argument("--directory", type=Path, default=_REPOSITORY / ".demo", help="for data and logs")
    parser.add_argument("--hosts", type=int, default=12, help=f"how many, at least {SMALLEST_FLEET}")
    parser.add_argument("--once", action="store_true", help="end by itself after the deployments")
    arguments = parser.parse_args()
    if arguments.hosts < SMALLEST_FLEET:
        parser.error(f"--hosts: expected {SMALLEST_FLEET} or more, to show every route")
    directory: Path = arguments.directory.resolve()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, _interrupt)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"another demo runs in {directory}; end it, or choose another --directory\n")
            return 2
        return _run(Demo(directory, arguments.hosts), once=arguments.once)


def _run(demo: Demo, *, once: bool) -> int:
    try:
        report = demo.start()
        code = demo.show(report)
        if not once:
            demo.stay(report)
    except ChildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED if once else 0
    finally:
        # From here on nothing may interrupt: what is left half ended would stay.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        _say("ending all parts of the demo")
        demo.end()
    return code


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _let_end(command: subprocess.Popen[bytes]) -> None:
    """A Ctrl-C has reached the command too: it has a moment to say that the run goes on."""
    try:
        command.wait(_LAST_WORDS_SECONDS)
    except subprocess.TimeoutExpired:
        command.terminate()
        command.wait()


def _answers(url: str) -> bool:
    """Whether anything speaks HTTP there, whatever it says."""
    try:
        urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - http on loopback
    except urllib.error.HTTPError as answer:
        answer.close()
    except OSError:
        return False
    return True


def _read_environment(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
