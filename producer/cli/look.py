"""``longshore runs``, ``show`` and ``watch``."""

import click

from producer.cli.following import follow_to_end
from producer.cli.options import json_option
from producer.cli.output import print_json, show, warn
from producer.client import Client
from producer.rendering.runs import run_report, runs_table


@click.command(short_help="List the newest runs.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="At most so many.")
@json_option
def runs(limit: int, *, as_json: bool) -> None:
    """List the newest runs, newest first."""
    with Client() as client:
        found = client.runs(limit)
    if as_json:
        print_json({"runs": [run.model_dump(mode="json") for run in found]})
    elif found:
        show(runs_table(found))
    else:
        click.echo("There are no runs yet; `longshore verify TARGET` makes one.")


@click.command("show", short_help="Show a run: its batches, hosts, steps and failures.")
@click.argument("run")
@json_option
def show_(run: str, *, as_json: bool) -> None:
    """Show a run: its batches, hosts, steps and failures, and why it waits when it does."""
    with Client() as client:
        view = client.run(run).view()
    if as_json:
        print_json(view)
    else:
        show(run_report(view))
    warn(view.warnings)


@click.command(short_help="Follow a run to its end.")
@click.argument("run")
@json_option
def watch(run: str, *, as_json: bool) -> int:
    """Follow a run to its end. Ctrl-C leaves the run alone."""
    with Client() as client:
        handle = client.run(run)
        warn(handle.plan().warnings)
        return follow_to_end(handle, as_json=as_json)
