"""Forwarded ports for people."""

from collections.abc import Sequence

from rich.table import Table

from config.forwards import UNKNOWN_ADDRESSES, Commands, Forward, Verdict
from producer.rendering.styles import plain, table


def forwards_table(rows: Sequence[Forward]) -> Table:
    """One line per forward."""
    made = table("proxy", "port", "host", "address", "in the fleet", right=("port",))
    for row in rows:
        there = "not yet" if row.new else "yes"
        made.add_row(row.proxy, str(row.port), row.host, plain(_address(row)), there)
    return made


def verdicts_table(rows: Sequence[Verdict]) -> Table:
    """One line per forward: what a verification has shown of it."""
    made = table("proxy", "port", "host", "address", "forward", "cause", right=("port",))
    for row in rows:
        forward = row.forward
        made.add_row(
            forward.proxy,
            str(forward.port),
            forward.host,
            plain(_address(forward)),
            row.state,
            plain(row.cause or "-"),
        )
    return made


def commands_text(commands: Commands) -> str:
    """A block of PowerShell to paste, with what each part is for."""
    parts = [f"# On {commands.proxy}, in a PowerShell that was started as administrator: set up"]
    parts += [
        f"# The fleet gives {who} no addresses: write them in place of {UNKNOWN_ADDRESSES}."
        for who in commands.unknown
    ]
    parts += [*commands.setup, "# Check", *commands.check]
    parts += ["# Remove all of it again"] + [f"# {line}" for line in commands.remove]
    return "\n".join(parts) + "\n"


def remedies_text(rows: Sequence[Verdict]) -> str:
    """What to run for the forwards that don't work, by proxy; empty when all do."""
    lines: list[str] = []
    for row in rows:
        if row.run:
            lines += [f"# On {row.forward.proxy}, for {row.forward.host}: {_REASONS[row.state]}", *row.run]
    return "\n".join(lines)


_REASONS = {
    "missing": "nothing answers there: the forward or the firewall rule is missing, or iphlpsvc is stopped",
    "dead": "the forward is there, the host behind it doesn't answer the proxy",
    "elsewhere": "another machine answers, or the host with another certificate or key; look first",
}


def _address(row: Forward) -> str:
    return f"[{row.address}]:{row.target_port}" if ":" in row.address else f"{row.address}:{row.target_port}"
