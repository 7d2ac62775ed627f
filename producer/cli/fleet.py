"""``longshore fleet import`` and ``longshore fleet ports``; ``forwards`` has a module of its own."""

from pathlib import Path
from typing import Protocol

import click

from config.errors import BadInputError
from config.firewall import nftables_rules
from config.importing.ansible import import_ansible
from config.importing.imported import Imported, render_fleet
from config.importing.openssh import import_openssh
from config.loading import load_fleet
from config.reachability import PACKAGES_NOTE, REDIS_NOTE, SENTINELS_NOTE, reachability
from config.redis_urls import redis_address
from config.settings import load_settings
from producer.cli.forwards import forwards_
from producer.cli.options import DEFAULT_FLEET, fleet_option, json_option, required_fleet_file
from producer.cli.output import note, print_json, show
from producer.login import login_name
from producer.rendering.places import ports_table
from producer.wording import count


class _Importer(Protocol):
    def __call__(self, path: str, *, default_user: str) -> Imported: ...


_IMPORTERS: dict[str, _Importer] = {"ansible": import_ansible, "openssh": import_openssh}


@click.group(short_help="Make a fleet file, and learn what it needs.")
def fleet() -> None:
    """Make a fleet file, and learn what it needs."""


fleet.add_command(forwards_)


@fleet.command("import", short_help="Make a fleet file from what is there already.")
@click.argument("kind", type=click.Choice(sorted(_IMPORTERS)))
@click.argument("file")
@click.option(
    "-o",
    "--output",
    default=DEFAULT_FLEET,
    show_default=True,
    metavar="FILE",
    help="Where the fleet goes; - is standard output.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@click.option("--user", metavar="NAME", help="Login where the file names none; by default your own.")
@json_option
def import_(kind: str, file: str, output: str, user: str | None, *, force: bool, as_json: bool) -> None:
    """Make a fleet file from an Ansible inventory (INI or YAML) or an OpenSSH client configuration.

    What can't be carried over is listed, and stands at the head of the fleet file.
    """
    imported = _IMPORTERS[kind](file, default_user=user or login_name())
    notes = [str(each) for each in imported.left_out]
    if output == "-":
        if as_json:
            print_json({"written": None, "left_out": notes, "fleet": imported.fleet})
        else:
            click.echo(render_fleet(imported), nl=False)
        return
    _write(Path(output), render_fleet(imported), force=force)
    if as_json:
        print_json({"written": output, "left_out": notes})
        return
    clusters = imported.fleet.get("clusters", {})
    hosts = sum(len(cluster["hosts"]) for cluster in clusters.values())
    click.echo(f"Wrote {output}: {count(len(clusters), 'cluster')}, {count(hosts, 'host')}.")
    if notes:
        note("Not carried over, or assumed:\n" + "\n".join(f"  {each}" for each in notes))


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise BadInputError(
            f"{path} is there already and was left as it is. Choose another file with -o, or use --force."
        ) from None
    except OSError as error:
        raise BadInputError(f"{path} can't be written: {error.strerror}.") from None


@fleet.command("ports", short_help="Show who must reach whom on which port.")
@fleet_option
@json_option
def ports(fleet: str | None, *, as_json: bool) -> None:
    """Show who must reach whom on which port for this fleet, and no wider than needed.

    First as a table, then as nftables rules for each machine that is reached.
    """
    settings = load_settings()
    loaded = load_fleet(required_fleet_file(fleet, settings.fleet))
    redis = redis_address(settings.redis_url)
    rows = tuple(
        dict.fromkeys(
            row
            for host, port in redis.servers
            for row in reachability(loaded, redis_host=host, redis_port=port)
        )
    )
    rules = nftables_rules(rows)
    if as_json:
        connections = [row.model_dump(mode="json") for row in rows]
        print_json({"connections": connections, "nftables": [each.model_dump(mode="json") for each in rules]})
        return
    show(ports_table(rows))
    click.echo("\n" + "\n".join(machine.text for machine in rules), nl=False)
    notes = [PACKAGES_NOTE, REDIS_NOTE, *([SENTINELS_NOTE] if redis.primary else [])]
    note("\n" + "\n".join(notes))
