"""The threads that drive hosts."""

import os

from celery.concurrency.thread import TaskPool
from celery.platforms import EX_FAILURE
from celery.worker import state


class HostThreads(TaskPool):  # type: ignore[misc] # celery ships no types
    """Celery's pool of threads, but asked to end at once it does.

    Celery's own waits for its threads, which may each follow a host for as long as a step lasts. Here they
    are left where they are: the hosts' work goes on without them, and once the leases have run out, other
    workers take it over.
    """

    def on_stop(self) -> None:
        """End the threads, or at a cold shutdown the whole process."""
        if state.should_terminate:
            os._exit(EX_FAILURE)
        super().on_stop()
