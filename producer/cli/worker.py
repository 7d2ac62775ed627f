"""``longshore worker``."""

import click

from config.settings import load_settings
from producer.cli.options import pool_option
from workers.supervisor import run_workers


@click.command(short_help="Run workers of a pool on this machine.")
@pool_option(required=True)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    help="Hosts that one process drives at once; by default $LONGSHORE_CONCURRENCY, else 32.",
)
@click.option(
    "--processes", type=click.IntRange(min=1), default=1, show_default=True, help="Worker processes."
)
def worker(pools: tuple[str, ...], concurrency: int | None, processes: int) -> int:
    """Run workers of a pool on this machine, until they are asked to end.

    The machine needs no inbound port: only Redis outbound, at $LONGSHORE_REDIS_URL, and the hosts. The first
    Ctrl-C or TERM lets them hand their hosts over; a second one ends them at once: what runs on the
    hosts goes on, and other workers of the pool take it over.
    """
    load_settings()  # a wrong one is told here, once, and not by every process
    return run_workers(pools, concurrency, processes)
