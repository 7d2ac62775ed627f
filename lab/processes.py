"""The processes that stand-in hosts run, and a sure end for every one of them."""

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_KILL_ROUNDS_SECONDS = 5.0


class ProcessTable:
    """Starts processes, tells when they end, and in the end leaves none of their descendants.

    A host's command may start a daemon that leaves its session, its process group and its
    environment behind. So this process becomes the one to which the kernel gives orphans
    (``PR_SET_CHILD_SUBREAPER``): whatever a host ever started stays below it in the tree of
    processes, and is found there.
    """

    def __init__(self) -> None:
        self._ends: dict[int, Callable[[int], None]] = {}
        self._popen: dict[int, subprocess.Popen[bytes]] = {}

    def open(self) -> None:
        """Take charge of this process's children; needs the main thread and its event loop.

        Raises:
            OSError: the kernel knows no subreapers (Linux before 3.4).
        """
        become_subreaper()
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def start(
        self, argv: list[str], *, cwd: Path, env: Mapping[str, str], ended: Callable[[int], None]
    ) -> subprocess.Popen[bytes]:
        """Start ``argv`` in a session of its own, with pipes for its three streams.

        Args:
            argv: program and arguments.
            cwd: the directory that it starts in.
            env: its whole environment.
            ended: called in the event loop with its exit code; -N for a signal.

        Returns:
            The process; its streams belong to the caller.
        """
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        # No await stands between the start and this: the event loop can't have reaped it yet.
        self._ends[process.pid] = ended
        self._popen[process.pid] = process
        return process

    def end_all(self) -> None:
        """End every process that hosts have started: SIGTERM, then SIGKILL; waits until none is left."""
        grace = time.monotonic() + 1.0
        deadline = time.monotonic() + _KILL_ROUNDS_SECONDS
        while (pids := descendants(os.getpid())) and time.monotonic() < deadline:
            number = signal.SIGTERM if time.monotonic() < grace else signal.SIGKILL
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            time.sleep(0.02)
            self._reap()

    def _reap(self) -> None:
        """Collect all dead children, adopted ones too: one signal can stand for many deaths."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if process := self._popen.pop(pid, None):
                process.returncode = code
            if ended := self._ends.pop(pid, None):
                ended(code)


def become_subreaper() -> None:
    """From now on orphans among this process's descendants become its children.

    Raises:
        OSError: the kernel knows no subreapers (Linux before 3.4).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def descendants(root: int) -> list[int]:
    """Process ids of everything below ``root`` that still lives; dead ones not yet reaped don't count."""
    children: dict[int, list[tuple[int, str]]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                # The name in parentheses may hold anything; what follows the last one is regular.
                state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                children.setdefault(int(parent), []).append((int(entry.name), state))
    found: list[int] = []
    waiting = [root]
    while waiting:
        for pid, state in children.get(waiting.pop(), []):
            waiting.append(pid)
            if state != "Z":
                found.append(pid)
    return found


def processes_of(uid: int) -> list[int]:
    """Process ids of everything that runs as the user ``uid``."""
    # The owner of an entry won't do: root owns those of processes that have changed their user, as sshd's do.
    real_user = re.compile(rf"^Uid:\t{uid}\t", re.MULTILINE)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if real_user.search((entry / "status").read_text(errors="replace")):
                    found.append(int(entry.name))
    return found
