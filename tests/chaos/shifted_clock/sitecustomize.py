"""Shifts the clock of a Python process by ``$CHAOS_CLOCK_SECONDS``, with this folder on ``PYTHONPATH``.

What shows the wall clock to Python code is shifted: ``time.time``, ``time.time_ns``. C code asks the kernel
by itself (``datetime.now``, log lines), and the monotonic clock, by which waits are measured, is the same
everywhere. So this is a machine whose clock is wrong, not one whose clock jumps.
"""

import os
import time

_SHIFT = float(os.environ.get("CHAOS_CLOCK_SECONDS", "0"))
_time, _time_ns = time.time, time.time_ns

time.time = lambda: _time() + _SHIFT
time.time_ns = lambda: _time_ns() + int(_SHIFT * 1e9)
