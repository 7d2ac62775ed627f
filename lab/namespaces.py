"""Network namespaces under one name: made, used, and removed with everything that runs in them."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from lab.tcp import listens

STATE: Final = Path("/run/longshore-lab")
_OWNER_FILE: Final = "owner.json"
_END_SECONDS: Final = 10.0


class NamespaceError(Exception):
    """A command that builds the networks failed; the text has its words."""


def make_prefix() -> str:
    """A name for a new instance, and its state directory, marked with who owns it."""
    prefix = f"ls{secrets.token_hex(3)}"
    directory = STATE / prefix
    directory.mkdir(mode=0o711, parents=True)
    STATE.chmod(0o711)
    owner = {"pid": os.getpid(), "started": _start_time(os.getpid())}
    (directory / _OWNER_FILE).write_text(json.dumps(owner))
    return prefix


def ip(*arguments: str) -> str:
    """Run ``ip`` and return what it prints."""
    return tool(["ip", *arguments])


def ip_batch(lines: Iterable[str], *, namespace: str | None = None) -> None:
    """Run many ``ip`` commands in one process; the first that fails ends it."""
    where = ["-n", namespace] if namespace else []
    tool(["ip", *where, "-batch", "-"], stdin="".join(f"{line}\n" for line in lines))


def tool(argv: Sequence[str], *, stdin: str | None = None) -> str:
    """Run a system tool and return what it prints.

    Raises:
        NamespaceError: it failed.
    """
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NamespaceError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def inside(namespace: str, argv: Sequence[str]) -> list[str]:
    """The command that runs ``argv`` in ``namespace``, in a mount namespace of its own."""
    return ["ip", "netns", "exec", namespace, *argv]


def names(prefix: str) -> list[str]:
    """The namespaces of one instance."""
    listed = json.loads(ip("-json", "netns", "list") or "[]")
    return [entry["name"] for entry in listed if entry["name"].startswith(f"{prefix}-")]


def pids(namespace: str) -> list[int]:
    """Who runs in a namespace, detached ones too."""
    return [int(pid) for pid in ip("netns", "pids", namespace).split()]


def wait_for_listener(process: subprocess.Popen[bytes], port: int, what: str, seconds: float = 15.0) -> None:
    """Wait until someone listens on TCP ``port`` in the network of ``process``.

    Raises:
        NamespaceError: it ended, or nobody listened within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not listens(process.pid, port):
        if process.poll() is not None:
            raise NamespaceError(f"{what} ended with {process.returncode} before it listened on port {port}")
        if time.monotonic() > deadline:
            raise NamespaceError(f"{what} doesn't listen on port {port} after {seconds:g} s")
        time.sleep(0.01)


def wait_for_word(process: subprocess.Popen[bytes], what: str) -> None:
    """Wait for the line that a server prints on its piped output once it listens.

    Raises:
        NamespaceError: it ended before.
    """
    assert process.stdout is not None  # noqa: S101 - whoever waits for a line has it piped
    if not process.stdout.readline():
        raise NamespaceError(f"{what} ended before it listened")


def clean(prefix: str) -> None:
    """Remove an instance: its processes, namespaces, login and files. Needs nothing but its name.

    It is the same way out after a good end, after an error, and after the maker was killed.
    """
    namespaces = names(prefix)
    _end_processes(namespaces)
    for namespace in namespaces:
        ip("netns", "delete", namespace)
    if _user_exists(prefix):
        tool(["userdel", prefix])
    shutil.rmtree(STATE / prefix, ignore_errors=True)


def clean_abandoned() -> list[str]:
    """Clean the instances whose maker is gone; returns their names."""
    abandoned = [path.name for path in STATE.glob("ls*") if not _owner_lives(path)]
    for prefix in abandoned:
        clean(prefix)
    return abandoned


def _end_processes(namespaces: Sequence[str]) -> None:
    deadline = time.monotonic() + _END_SECONDS
    number = signal.SIGTERM
    while running := [pid for namespace in namespaces for pid in pids(namespace)]:
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if time.monotonic() > deadline:
            raise NamespaceError(f"processes that do not end: {running}")
        time.sleep(0.1 if number == signal.SIGTERM else 0.01)
        number = signal.SIGKILL


def _owner_lives(state: Path) -> bool:
    try:
        owner: dict[str, Any] = json.loads((state / _OWNER_FILE).read_text())
    except (FileNotFoundError, ValueError):
        return False
    return bool(_start_time(owner["pid"]) == owner["started"])


def _start_time(pid: int) -> str | None:
    """When a process started: with it a process id is not mistaken for a later one's."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        return None


def _user_exists(name: str) -> bool:
    return any(line.startswith(f"{name}:") for line in Path("/etc/passwd").read_text().splitlines())
