"""Runs a command that ends when whoever started it does, even if that one is killed outright."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def on_leash(command: Sequence[str], number: int = signal.SIGTERM) -> list[str]:
    """The command line that runs ``command`` on a leash of this process.

    Args:
        command: program and arguments.
        number: the signal that it gets when this process dies.
    """
    return [sys.executable, "-m", "workers.leash", str(os.getpid()), str(int(number)), *command]


def main() -> None:
    """``python -m workers.leash PARENT SIGNAL COMMAND...``: become COMMAND, sent SIGNAL when PARENT dies."""
    parent, number, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    with contextlib.suppress(AttributeError, OSError):  # a system without it: the parent still ends us itself
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    # Had the parent gone before the tie was made, nobody would send that signal any more.
    if os.getppid() == parent:
        os.execvp(command[0], command)  # noqa: S606 - what its caller asked for


if __name__ == "__main__":
    main()
