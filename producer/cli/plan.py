"""``longshore plan``."""

import click

from config.loading import load_application, load_fleet, placed
from config.settings import load_settings
from producer.cli.options import (
    fleet_option,
    json_option,
    parameters_from,
    required_fleet_file,
    set_option,
    to_option,
)
from producer.cli.output import print_json, show, warn
from producer.rendering.places import plan_report
from tasks.planning import plan_deployment


@click.command(short_help="Show what a deployment would do; send nothing.")
@click.argument("application", metavar="APP.yaml")
@to_option
@fleet_option
@set_option
@json_option
def plan(
    application: str,
    targets: tuple[str, ...],
    fleet: str | None,
    assignments: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Show what a deployment would do: batches, routes, steps. Nothing is sent, and Redis isn't asked."""
    loaded = load_fleet(required_fleet_file(fleet, load_settings().fleet))
    with placed(application):
        made = plan_deployment(loaded, load_application(application), targets, parameters_from(assignments))
    warn(made.warnings)
    if as_json:
        print_json(made.model_dump(mode="json") | {"warnings": made.warnings})
    else:
        show(plan_report(made))
