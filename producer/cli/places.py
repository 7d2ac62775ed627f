"""``longshore pools`` and ``longshore hosts``."""

import click

from config.errors import RedisUnreachableError
from config.loading import load_fleet
from config.routing import Router
from config.targets import HostTarget
from producer.cli.options import fleet_file, fleet_option, json_option, required_fleet_file
from producer.cli.output import note, print_json, show
from producer.client import Client
from producer.rendering.places import hosts_table, pools_table


@click.command(short_help="List pools, their live workers, and what waits.")
@fleet_option
@json_option
def pools(fleet: str | None, *, as_json: bool) -> None:
    """List the fleet's pools and those that have workers: versions, slots, and what waits for them."""
    with Client() as client:
        found = client.pools(fleet_file(fleet, client.settings.fleet))
    if as_json:
        print_json({"pools": [pool.model_dump(mode="json") for pool in found]})
    elif found:
        show(pools_table(found))
    else:
        click.echo("There are no pools: no fleet file is here, and no worker is running.")


@click.command(short_help="List the fleet's hosts and when they were last verified.")
@fleet_option
@json_option
def hosts(fleet: str | None, *, as_json: bool) -> None:
    """List the fleet's hosts: where they are, how they are reached, and when they were last verified."""
    with Client() as client:
        loaded = load_fleet(required_fleet_file(fleet, client.settings.fleet))
        router = Router(loaded)
        targets = [router.target(name) for name in router.cluster_of]
        verified = _verified(client, targets)
    if as_json:
        print_json({"hosts": [_document(target, verified) for target in targets]})
    else:
        show(hosts_table(targets, verified))


def _verified(client: Client, targets: list[HostTarget]) -> dict[str, float] | None:
    """When each host was last verified; the fleet is worth showing without that, too."""
    try:
        return client.verified(targets)
    except RedisUnreachableError as error:
        note(f"When they were last verified is unknown: {error}")
        return None


def _document(target: HostTarget, verified: dict[str, float] | None) -> dict[str, object]:
    return {
        "name": target.name,
        "cluster": target.cluster,
        "os": target.os,
        "pool": target.pool,
        "route": target.route_text,
        "address": target.address,
        "port": target.port,
        "verified": verified.get(target.name) if verified else None,
    }
