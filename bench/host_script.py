"""What the host side of a run costs: CPU, forks and execs of ten ``echo`` steps, by driver and runner.

Run from the repository's root: ``python -m bench.host_script [rounds] [shell]``.
"""

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from config.application import Action, Application
from lab.processes import become_subreaper
from tasks.actions.steps import steps_of
from tasks.hostscript import driver
from tasks.hostscript.compile import compile_script
from tasks.hostscript.control import ControlParser, Finished

_MARKER = driver.marker_from(b"benchmark")
_LOG_BYTES = 64 * 1024 * 1024


def main() -> None:
    """Print one table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    shell = sys.argv[2] if len(sys.argv) > 2 else "sh"  # noqa: PLR2004 - the second argument
    # The runner outlives its driver; as its reaper we are told what it cost.
    become_subreaper()
    steps = steps_of(_ten_echoes(), {}, render=lambda text, _parameters: text)
    script = compile_script(steps)
    with tempfile.TemporaryDirectory() as home, _on_path(shell, home) as path:
        costs, seconds = zip(*(_one_run(home, path, script, number) for number in range(rounds)), strict=True)
        print(f"login shell and sh     {shell}")
        print(f"script                 {len(script)} bytes")
        print(f"host CPU per run       {statistics.mean(costs) * 1000:.2f} ms (mean of {rounds})")
        print(f"wall per run           {statistics.median(seconds) * 1000:.2f} ms")
        forks, execs = _system_calls(home, path, script)
        print(f"forks, execs           {forks}, {execs} (the login shell's own among them)")
    print(f"parser                 {_parser_cost():.3f} ns per byte of output")


def _ten_echoes() -> Application:
    return Application(
        application="echoes", actions=tuple(Action(run=f"echo step {index}") for index in range(10))
    )


@contextmanager
def _on_path(shell: str, home: str) -> Iterator[str]:
    """A PATH on which ``sh`` is ``shell``."""
    folder = Path(home, "bin")
    folder.mkdir()
    found = subprocess.run(["which", shell], capture_output=True, text=True, check=True).stdout.strip()
    (folder / "sh").symlink_to(found)
    yield f"{folder}:{os.environ['PATH']}"


def _start(home: str, path: str, script: bytes, number: int, *wrapper: str) -> subprocess.Popen[bytes]:
    where = driver.HostRun(run_id=f"run-{number}", marker=_MARKER, token=driver.Token(epoch=1, number=1))
    environment = driver.environment_of({}, run_id=where.run_id, application="echoes", host="bench", batch=1)
    invocation = driver.run(where, script, environment)
    process = subprocess.Popen(
        [*wrapper, "sh", "-c", invocation.command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"HOME": home, "PATH": path},
    )
    assert process.stdin is not None  # noqa: S101 - for the type checker: it is a pipe
    process.stdin.write(invocation.stdin)
    process.stdin.flush()
    return process


def _follow(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None  # noqa: S101 - as above
    assert process.stdout is not None  # noqa: S101 - as above
    parser = ControlParser(_MARKER)
    while data := os.read(process.stdout.fileno(), 65536):
        if any(isinstance(event, Finished) for event in parser.feed(data)):
            process.stdin.close()
    process.stdout.close()


def _one_run(home: str, path: str, script: bytes, number: int) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    _follow(_start(home, path, script, number))
    seconds = time.perf_counter() - began
    with suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seconds


def _system_calls(home: str, path: str, script: bytes) -> tuple[int, int]:
    with tempfile.NamedTemporaryFile("r") as trace:
        calls = "trace=execve,fork,vfork,clone,clone3"
        wrapper = ("strace", "-f", "-qq", "-e", calls, "-e", "status=successful", "-o", trace.name)
        process = _start(home, path, script, 1_000_000, *wrapper)
        _follow(process)
        process.wait()
        text = trace.read()
    return len(re.findall(r"\b(?:v?fork|clone3?)\(.*= \d", text)), text.count("execve(")


def _parser_cost() -> float:
    chunk = (b"x" * 79 + b"\n") * 400
    parser = ControlParser(_MARKER)
    parser.feed(f"\n{_MARKER} status new 0\n".encode())
    began = time.process_time()
    for _ in range(_LOG_BYTES // len(chunk)):
        parser.feed(chunk)
    return (time.process_time() - began) * 1e9 / _LOG_BYTES


if __name__ == "__main__":
    main()
