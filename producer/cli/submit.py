"""``longshore verify`` and ``longshore deploy``."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, cast

import click

from config.loading import load_fleet
from producer.cli.following import follow_to_end
from producer.cli.options import (
    detach_option,
    fleet_option,
    json_option,
    parameters_from,
    required_fleet_file,
    set_option,
    to_option,
)
from producer.cli.output import note, print_json, warn
from producer.client import Client
from producer.run import Run

if TYPE_CHECKING:
    from tasks.record.answers import IfBusy


@click.command(short_help="Verify that pools can reach hosts.")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@fleet_option
@detach_option
@json_option
def verify(targets: tuple[str, ...], fleet: str | None, *, detach: bool, as_json: bool) -> int:
    """Verify that pools can reach hosts, and say what is wrong where they can't.

    TARGET is a cluster or a host of the fleet. Every host is looked at in every stage of its way: name, TCP
    connection, proxy, host key, login, a command, the work directory, and sudo where the cluster asks for
    it. Host keys that are seen for the first time are pinned.
    """
    with Client() as client:
        loaded = load_fleet(required_fleet_file(fleet, client.settings.fleet))
        return submit(lambda: client.verify(loaded, targets), detach=detach, as_json=as_json)


@click.command(short_help="Deploy an application to a cluster, batch by batch.")
@click.argument("application", metavar="APP.yaml")
@to_option
@fleet_option
@set_option
@click.option(
    "--if-busy",
    type=click.Choice(["wait", "fail", "supersede"]),
    default="wait",
    show_default=True,
    help="When another deployment comes first for one of the hosts: wait for it, send nothing, or take the "
    "place of those of the same application that only wait.",
)
@detach_option
@json_option
def deploy(
    application: str,
    targets: tuple[str, ...],
    fleet: str | None,
    assignments: tuple[str, ...],
    if_busy: str,
    *,
    detach: bool,
    as_json: bool,
) -> int:
    """Deploy an application to a cluster, batch by batch, and follow it to its end.

    Hosts that were not verified lately are verified first, by a run of their own.
    """
    parameters = parameters_from(assignments)
    with Client() as client:
        loaded = load_fleet(required_fleet_file(fleet, client.settings.fleet))
        return submit(
            lambda: client.deploy(loaded, application, targets, parameters, if_busy=cast("IfBusy", if_busy)),
            detach=detach,
            as_json=as_json,
        )


def submit(make: Callable[[], Run], *, detach: bool, as_json: bool) -> int:
    """Submit a run, and follow it to its end unless that is not wanted; return the exit code."""
    with ctrl_c_later() as interrupted:
        run = make()
    if not detach and not as_json:
        note(f"Run {run.id}")
    warn(run.plan().warnings)
    if not detach:
        return follow_to_end(run, as_json=as_json, interrupted=interrupted.is_set())
    if as_json:
        print_json({"id": run.id})
    else:
        click.echo(run.id)
    return 0


@contextmanager
def ctrl_c_later() -> Iterator[Event]:
    """Note Ctrl-C instead of stopping halfway: a run that was recorded must not stay without its id."""
    interrupted = Event()
    before = signal.signal(signal.SIGINT, lambda _number, _frame: interrupted.set())
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
