"""The outcome for people: what was measured, row by row, and what had to be reached."""

from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from bench.measure import spread
from bench.rounds import Row
from bench.targets import Verdict

_MARK = {True: "[green]pass[/]", False: "[red]FAIL[/]", None: "[yellow]not measured[/]"}


def show_rows(
    console: Console,
    rows: Sequence[Row],
    *,
    at_once: int,
    cores: int,
    hosts_are: str = "sshd and the steps",
    more: Mapping[str, Callable[[Row], str]] | None = None,
) -> None:
    """Print one line per contender and size.

    Args:
        console: where.
        rows: one each.
        at_once: hosts in work at the same time.
        cores: of the machine.
        hosts_are: what the hosts' CPU goes to.
        more: columns beside those of every table: their headings, and what stands there for a row.
    """
    more = more or {}
    table = Table(title=f"Ten steps on each host, {at_once} hosts at once, {cores} cores")
    table.add_column("what")
    for heading in (
        "hosts",
        "runs",
        "hosts/s",
        "least-most",
        "of reference",
        "tool ms/host",
        "host ms/host",
        "others",
        *more,
    ):
        table.add_column(heading, justify="right")
    last = None
    for row in rows:
        if last not in (None, row.asked):
            table.add_section()
        last = row.asked
        table.add_row(*_cells(row), *(cell(row) for cell in more.values()))
    console.print(table)
    console.print(
        "of reference: hosts/s over those of the first row in the same round. tool, host: CPU of the tool, "
        f"and of {hosts_are}. others: share of the machine's CPU that went elsewhere; above 20% the "
        "figures are soft.",
        style="dim",
    )
    for row in rows:
        if row.failure is not None:
            console.print(f"{row.title}, {row.asked} hosts: {row.failure}", style="red", markup=False)


def _cells(row: Row) -> list[str]:
    if not row.samples:
        return [row.title, str(row.asked), "0", "failed", "", "", "", "", ""]
    rate = spread([sample.rate for sample in row.samples])
    ratios = [sample.ratio for sample in row.samples if sample.ratio is not None]
    hosts = row.samples[0].hosts
    fewer = f" (of {row.asked})" if hosts < row.asked else ""

    def middle(figures: list[float]) -> float:
        return spread(figures).median

    return [
        row.title,
        f"{hosts}{fewer}",
        str(len(row.samples)),
        f"{rate.median:.1f}",
        f"{rate.least:.1f}-{rate.most:.1f}",
        f"{middle(ratios):.2f}" if ratios else "",
        f"{middle([1000 * sample.client_cpu / sample.hosts for sample in row.samples]):.1f}",
        f"{middle([1000 * sample.host_cpu / sample.hosts for sample in row.samples]):.1f}",
        f"{middle([sample.others for sample in row.samples]):.0%}",
    ]


def show_verdicts(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Print one line per target."""
    table = Table(title="What Longshore must reach")
    for heading in ("target", "wanted", "measured", ""):
        table.add_column(heading)
    for verdict in verdicts:
        table.add_row(verdict.target, verdict.wanted, verdict.measured, _MARK[verdict.reached])
    console.print(table)
