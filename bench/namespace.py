"""A place of its own for a run: network, processes and users that end with it, however it ends.

Everything runs as the first process of a PID namespace, with a network namespace in which only
loopback is up and a mount namespace in which ``/run`` and the user database are private. The kernel
takes all of it back when the first process is gone, so a Ctrl-C or a SIGKILL leaves nothing behind.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import processes

RUN = Path("/run/longshore-bench")
USER = "ship"
USER_ID = 42424


def enter(module: str, arguments: Sequence[str], seconds: float) -> int:
    """Run a module of this package inside new namespaces, for at most ``seconds``.

    Returns:
        The exit code: the run's own, 124 when it took too long, 130 when it was interrupted.
    """
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
    command += ["--", sys.executable, "-m", module, "--inside", *arguments]
    signal.signal(signal.SIGTERM, _interrupt)
    process = subprocess.Popen(
        command,
        start_new_session=True,
        preexec_fn=processes.die_with_parent,  # noqa: PLW1509 - no threads run yet
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"bench: not done after {seconds:.0f} s; ended", file=sys.stderr)
        return 124
    except KeyboardInterrupt:
        return 130
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def furnish() -> None:
    """Bring loopback up and make ``/run`` and the user database private, with one user more."""
    _run("ip", "link", "set", "lo", "up")
    _run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run")
    RUN.mkdir()
    Path("/run/sshd").mkdir(mode=0o755)
    home = RUN / "home"
    home.mkdir()
    os.chown(home, USER_ID, USER_ID)
    _make_etc_private()
    _append("/etc/passwd", f"{USER}:x:{USER_ID}:{USER_ID}::{home}:/bin/sh")
    _append("/etc/shadow", f"{USER}:*:19000:0:99999:7:::")
    _append("/etc/group", f"{USER}:x:{USER_ID}:")
    os.environ["HOME"] = str(home_of_clients())
    os.environ.pop("SSH_AUTH_SOCK", None)


def home_of_clients() -> Path:
    """An empty home, so that nobody's own SSH settings take part."""
    path = RUN / "client"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _make_etc_private() -> None:
    # The whole directory: a mount over a single file goes away when somebody outside replaces that
    # file, as useradd does.
    private = RUN / "etc"
    _run("cp", "-a", "/etc", str(private))
    _run("mount", "--bind", str(private), "/etc")


def _append(path: str, line: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=20)


def wait_for(what: str, ready: Callable[[], bool], seconds: float) -> None:
    """Ask ``ready`` again and again until it says yes.

    Raises:
        TimeoutError: it said no for ``seconds``.
    """
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not there after {seconds:.0f} s")
        time.sleep(0.02)
