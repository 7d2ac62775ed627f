"""What this process may have open at once, and how often it looks for garbage."""

import gc
import resource

SPARE_FILES = 256
"""Files for everything but kept connections: hosts in work, Redis, logs, uploads."""


def collect_garbage_seldom() -> None:
    """Have Python look for cycles of garbage seldom; what lives by now will live as long as the worker.

    Kept connections are thousands of objects and no garbage: looking through them over and over was a
    twelfth of a worker's CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def raise_open_files() -> int:
    """Let this process open as many files as it is allowed to at all; returns how many.

    A shell's soft limit is often 1,024, kept for the sake of programs that use ``select``; none of these do.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def connections_to_keep(wanted: int, open_files: int) -> int:
    """How many of the ``wanted`` unused connections leave enough files for everything else."""
    return max(0, min(wanted, open_files - SPARE_FILES))
