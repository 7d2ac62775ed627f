"""Runs a command that ends when whoever started it does, even if that one is killed outright."""

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """``python -m workers.leash PARENT COMMAND...``: become COMMAND, tied to the process PARENT."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    with contextlib.suppress(AttributeError, OSError):  # a system without it: the parent still ends us itself
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # Had the parent gone before the tie was made, nobody would send that signal any more.
    if os.getppid() == parent:
        os.execvp(command[0], command)  # noqa: S606 - what its caller asked for


if __name__ == "__main__":
    main()
