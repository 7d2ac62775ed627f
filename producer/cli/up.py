"""``longshore up``."""

import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from config.loading import load_fleet
from config.settings import Settings, load_settings
from producer.children import Children
from producer.cli.options import fleet_file, fleet_option, json_option, pool_option
from producer.cli.output import note, print_json
from producer.local import POLL_SECONDS, Addresses, start_everything

GRACE_SECONDS = 15.0


@click.command(short_help="Run everything on this machine: Redis, workers, Flower.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".longshore"),
    show_default=True,
    help="Where Redis keeps its data, and the logs go.",
)
@pool_option(required=False)
@fleet_option
@json_option
def up(directory: Path, pools: tuple[str, ...], fleet: str | None, *, as_json: bool) -> None:
    """Run everything on this machine: a Redis of its own, a worker for each pool, Flower.

    All of it is on loopback and ends with Ctrl-C; the data stays in the directory. Redis and Flower take
    their usual ports where those are free. $FLOWER_BASIC_AUTH (user:password) locks Flower.
    """
    directory = directory.resolve()
    chosen = pools or _pools_of(fleet)
    children = Children(directory / "logs")
    with _asked_to_end() as (ending, hurry):
        try:
            addresses = start_everything(children, directory, chosen, ending=ending)
            if not ending.is_set():
                _say(addresses, chosen, as_json=as_json)
            while not ending.wait(POLL_SECONDS):
                children.check()
            note("Ending: workers let go of their hosts, whose work goes on. Again Ctrl-C ends them at once.")
        finally:
            children.end(grace=GRACE_SECONDS, hurry=hurry)


def _pools_of(fleet: str | None) -> tuple[str, ...]:
    file = fleet_file(fleet, load_settings().fleet)
    return tuple(load_fleet(file).pools) if file else ("official",)


@contextmanager
def _asked_to_end() -> Iterator[tuple[threading.Event, threading.Event]]:
    """Events that the first and the second INT or TERM set."""
    ending, hurry = threading.Event(), threading.Event()

    def take(_number: int, _frame: object) -> None:
        (hurry if ending.is_set() else ending).set()

    before = {number: signal.signal(number, take) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending, hurry
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(addresses: Addresses, pools: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "redis": addresses.redis_url,
                "record": addresses.record_url,
                "flower": addresses.flower_url,
                "pools": list(pools),
            }
        )
        return
    click.echo(f"Flower   {addresses.flower_url}")
    click.echo(f"Redis    {addresses.redis_url}")
    click.echo(f"Workers  {', '.join(pools)}")
    if addresses.redis_url != Settings.model_fields["redis_url"].default:
        click.echo("In other terminals, first:")
        click.echo(f"    export LONGSHORE_REDIS_URL={shlex.quote(addresses.redis_url)}")
    click.echo("Everything runs until Ctrl-C.")
