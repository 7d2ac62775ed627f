"""CPU time and memory of processes, from /proc; and clients that are run and accounted for."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies; for ``preexec_fn``."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _stat(process: int) -> tuple[int, float] | None:
    """Parent, and CPU seconds with those of children that have been waited for."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), sum(map(int, fields[11:15])) * _TICK


def _all() -> dict[int, tuple[int, float]]:
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {number: found for number in numbers if (found := _stat(number)) is not None}


def cpu_of_tree(root: int) -> float:
    """CPU seconds of a process and all its descendants, dead ones included."""
    everyone = _all()
    return sum(everyone[number][1] for number in _descendants(root, everyone))


def _descendants(root: int, everyone: Mapping[int, tuple[int, float]]) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for number, (parent, _) in everyone.items():
        children.setdefault(parent, []).append(number)
    waiting = [root] if root in everyone else []
    while waiting:
        number = waiting.pop()
        yield number
        waiting.extend(children.get(number, ()))


def tree(root: int) -> tuple[int, ...]:
    """A process and its living descendants."""
    return tuple(_descendants(root, _all()))


def memory(process: int, field: str = "VmRSS") -> float:
    """Megabytes of a process's ``VmRSS`` or ``VmHWM`` (its highest so far); 0 for one that is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def machine_cpu() -> float:
    """CPU seconds that the whole machine has been busy, this bench and everybody else."""
    user, nice, system, _idle, _wait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) * _TICK


@dataclass(frozen=True, kw_only=True)
class ClientRun:
    """How a client program ended.

    Attributes:
        seconds: from its start to its end.
        cpu: CPU seconds of the program and of everything that it started, left behind or not.
        exit_code: None when it took too long and was ended.
    """

    seconds: float
    cpu: float
    exit_code: int | None
    output: str
    errors: str


def run_client(command: Sequence[str], *, seconds: float, environment: Mapping[str, str]) -> ClientRun:
    """Run a program to its end, and end what it leaves behind.

    Args:
        command: the program and its arguments.
        seconds: when to give up.
        environment: variables beside this process's own.
    """
    others = set(_children())
    cpu_before = _cpu_of_ended_children()
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=seconds)
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        code = None
    took = time.monotonic() - began
    _end_children_but(others)
    cpu = _cpu_of_ended_children() - cpu_before
    return ClientRun(seconds=took, cpu=cpu, exit_code=code, output=output, errors=errors)


def _children() -> list[int]:
    me = os.getpid()
    return [number for number, (parent, _) in _all().items() if parent == me]


def _end_children_but(others: Collection[int]) -> None:
    """End what a client has left behind: orphans come to this process, the first of its namespace."""
    while left := [number for number in _children() if number not in others]:
        for number in left:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(number, 0)


def _cpu_of_ended_children() -> float:
    times = os.times()
    return times.children_user + times.children_system
