"""Runs the worker processes of ``longshore worker`` and starts those again that end by themselves."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType

from config.celery_settings import queue_name
from workers.leash import on_leash

SLOW_RESTART_SECONDS = 5.0
"""A process that ends sooner than this is started again only after as long: it would end again."""


def worker_command(pools: Sequence[str], *, concurrency: int | None, name: str) -> list[str]:
    """The command line of one worker process."""
    queues = ",".join(queue_name(pool) for pool in pools)
    command = [sys.executable, "-m", "workers.process", "--queues", queues, "--name", name]
    return command + (["--concurrency", str(concurrency)] if concurrency else [])


def run_workers(pools: Sequence[str], concurrency: int | None = None, processes: int = 1) -> int:
    """Run worker processes until asked to end; return the exit code.

    The first TERM or INT lets the processes hand their hosts over; a second one ends them at once.
    """
    names = [f"{'+'.join(pools)}-{os.getpid()}-{index}@%h" for index in range(processes)]
    commands = [worker_command(pools, concurrency=concurrency, name=name) for name in names]
    return _Supervisor(commands=commands).run()


@dataclass(kw_only=True)
class _Supervisor:
    commands: list[list[str]]
    ending: bool = False
    children: dict[int, tuple[int, float]] = field(default_factory=dict)

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        for index in range(len(self.commands)):
            self._start(index)
        while self.children:
            self._wait_for_one()
        return 0

    def _start(self, index: int) -> None:
        # A session of its own: a terminal's Ctrl-C reaches only the supervisor, which passes it on once.
        # On a leash: a supervisor that is killed outright leaves no worker behind that nobody watches.
        child = subprocess.Popen(on_leash(self.commands[index]), start_new_session=True)  # noqa: S603 - our own command
        self.children[child.pid] = (index, time.monotonic())
        if self.ending:
            # Asked to end while this one was being started: whoever asked did not see it.
            child.terminate()

    def _wait_for_one(self) -> None:
        pid, status = os.wait()
        if pid not in self.children:
            return
        index, started = self.children.pop(pid)
        if self.ending:
            return
        code = os.waitstatus_to_exitcode(status)
        sys.stderr.write(f"worker process {pid} ended with {code}; starting it again\n")
        if time.monotonic() - started < SLOW_RESTART_SECONDS:
            time.sleep(SLOW_RESTART_SECONDS)
        if not self.ending:
            self._start(index)

    def _pass_on(self, _number: int, _frame: FrameType | None) -> None:
        signal_to_send = signal.SIGQUIT if self.ending else signal.SIGTERM
        self.ending = True
        for pid in self.children:
            os.kill(pid, signal_to_send)
