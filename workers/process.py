"""One worker process, without Celery's command line.

The command line loads every plugin that is installed for it, Flower among them, into a process that needs
none: 15 MB of each worker's memory. What runs is the same ``celery.apps.worker``, and so are signals and log.
"""

import argparse
import logging
import sys

from celery.utils.nodenames import default_nodename, host_format

from workers.app import app

_MODULE = "workers.process"


def main() -> int:
    """``python -m workers.process --queues NAMES``: run a worker process to its end.

    Returns:
        Its exit code.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}", description=main.__doc__)
    parser.add_argument("--queues", required=True, help="comma-separated")
    parser.add_argument("--concurrency", type=int, help="hosts at once; else $LONGSHORE_CONCURRENCY")
    parser.add_argument("--name", help="such as official@%%h, where %%h becomes this machine's name")
    arguments = parser.parse_args()
    worker = app.Worker(
        hostname=host_format(default_nodename(arguments.name)),
        queues=arguments.queues,
        concurrency=arguments.concurrency,
        loglevel=logging.INFO,
        # What workers would tell each other at their start and ever after; Longshore's own record has it.
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
