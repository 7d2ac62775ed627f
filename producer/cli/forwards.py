"""``longshore fleet forwards``."""

from pathlib import Path

import click

from config.errors import BadInputError
from config.fleet import Fleet
from config.fleet_edit import with_forward_ports
from config.forwards import Forward, commands, forwards, verdicts
from config.loading import load_fleet
from config.reading import read_text
from config.settings import load_settings
from producer.cli.options import fleet_option, json_option, required_fleet_file
from producer.cli.output import note, print_json, show
from producer.client import Client
from producer.files import replace_content
from producer.rendering.forwards import commands_text, forwards_table, remedies_text, verdicts_table
from producer.wording import count

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LAST = "last"


@click.command("forwards", short_help="Give hosts behind Windows proxies their forwarded ports.")
@click.argument("proxy", required=False)
@click.option("--write", is_flag=True, help="Write the ports of hosts that have none into the fleet file.")
@click.option(
    "--check",
    "run",
    metavar="RUN",
    help="Show which forwards a verification found missing or leading elsewhere; RUN may be last.",
)
@fleet_option
@json_option
def forwards_(proxy: str | None, run: str | None, fleet: str | None, *, write: bool, as_json: bool) -> int:
    """Give each host behind a Windows proxy a port there, and show what the proxy must be told.

    A host keeps the port that it has in the fleet; one without gets the lowest that is free in the proxy's
    range (ports:, by default 15000-15999). Nothing is changed unless --write is given, and never on a proxy.
    """
    file = required_fleet_file(fleet, load_settings().fleet)
    loaded = load_fleet(file, forwards_pending=True)
    rows = forwards(loaded, proxy)
    if write:
        _write(file, rows)
    if run is not None:
        return _check(loaded, rows, run, as_json=as_json)
    made = commands(loaded, rows)
    if as_json:
        print_json(
            {
                "forwards": [row.model_dump(mode="json") for row in rows],
                "commands": [each.model_dump(mode="json") for each in made],
                "written": file if write else None,
            }
        )
    elif not rows:
        click.echo("No host is behind a Windows proxy.")
    else:
        _show(file, rows, write=write)
        click.echo("\n" + "\n".join(map(commands_text, made)), nl=False)
    return 0


def _show(file: str, rows: tuple[Forward, ...], *, write: bool) -> None:
    show(forwards_table(rows))
    new = sum(row.new for row in rows)
    if write:
        note(f"Wrote {count(new, 'port')} into {file}." if new else f"{file} has every port already.")
    elif new:
        note(f"{count(new, 'host')} without a forward_port in {file}: --write puts it there.")


def _write(file: str, rows: tuple[Forward, ...]) -> None:
    new = {(row.cluster, row.host): row.port for row in rows if row.new}
    if new:
        changed = with_forward_ports(read_text(file), new).encode()
        mark = _BYTE_ORDER_MARK if Path(file).read_bytes().startswith(_BYTE_ORDER_MARK) else b""
        replace_content(file, mark + changed)


def _check(fleet: Fleet, rows: tuple[Forward, ...], run: str, *, as_json: bool) -> int:
    with Client() as client:
        view = client.run(_last(client) if run == _LAST else run).view()
    outcomes = {host.name: (host.outcome, host.cause) for batch in view.batches for host in batch.hosts}
    found = verdicts(fleet, rows, outcomes)
    if as_json:
        print_json({"run": view.id, "forwards": [row.model_dump(mode="json") for row in found]})
    elif not found:
        click.echo("No host is behind a Windows proxy.")
    else:
        show(verdicts_table(found))
        if remedies := remedies_text(found):
            click.echo("\n" + remedies)
    return int(any(row.run for row in found))


def _last(client: Client) -> str:
    newest = next((run.id for run in client.runs(100) if run.kind == "verification"), None)
    if newest is None:
        raise BadInputError("There is no verification yet; `longshore verify TARGET` makes one.")
    return newest
