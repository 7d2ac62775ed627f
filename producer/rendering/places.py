"""Pools, hosts and plans for people."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from config.reachability import Reach
from config.targets import HostTarget
from producer.rendering.styles import plain, table
from producer.wording import count, moment
from tasks.batches import failure_limit
from tasks.plan import Plan
from tasks.record.views import PoolView
from tasks.waiting import abbreviated

NAMES_SHOWN = 6


def pools_table(pools: Sequence[PoolView]) -> Table:
    """One line per pool."""
    figures = ("workers", "slots", "busy", "free", "waiting")
    made = table("pool", "kind", *figures, "versions", right=figures)
    for pool in pools:
        made.add_row(
            pool.name,
            pool.kind or "not in the fleet",
            str(len(pool.workers)),
            str(pool.slots),
            str(pool.busy),
            str(max(pool.slots - pool.busy, 0)),
            str(pool.waiting),
            plain(", ".join(sorted({worker.version for worker in pool.workers})) or "-"),
        )
    return made


def hosts_table(hosts: Sequence[HostTarget], verified: Mapping[str, float] | None) -> Table:
    """One line per host.

    Args:
        hosts: of the fleet.
        verified: host to when it was last verified; None when the record can't tell.
    """
    made = table("host", "cluster", "os", "pool", "route", "address", "last verified")
    for host in hosts:
        last = moment(verified.get(host.name)) if verified is not None else "unknown"
        address = f"[{host.address}]:{host.port}" if ":" in host.address else f"{host.address}:{host.port}"
        made.add_row(
            host.name, host.cluster, host.os, host.pool, plain(host.route_text), plain(address), last
        )
    return made


def ports_table(rows: Sequence[Reach]) -> Table:
    """Who must reach whom: one line per connection."""
    made = table("from", "to", "address", "port", "why", right=("port",))
    for row in rows:
        source, destination = row.source, row.destination
        made.add_row(
            f"{source.kind} {source.name}",
            f"{destination.kind} {destination.name}",
            plain(destination.address),
            str(row.port),
            plain(row.why),
        )
    return made


def plan_report(plan: Plan) -> RenderableType:
    """What a deployment would do."""
    total = len(plan.hosts)
    limit = failure_limit(plan.max_failed, total)
    batches = table("batch", "hosts", "which", right=("batch", "hosts"))
    for index, names in enumerate(plan.batches, start=1):
        batches.add_row(str(index), str(len(names)), abbreviated(names, NAMES_SHOWN))
    actions = table("step", "does", right=("step",))
    for index, step in enumerate(plan.steps, start=1):
        actions.add_row(str(index), plain(step))
    parameters = plan.parameters | {
        name: f"(secret, from the worker's {'variable' if where.env else 'file'} {where.env or where.file})"
        for name, where in plan.secrets.items()
    }
    shown = ", ".join(f"{name}={value}" for name, value in parameters.items()) or "none"
    stop = f"once more than {count(limit, 'host')} failed" if limit else "once a host failed"
    rounds = "one batch" if len(plan.batches) == 1 else f"{len(plan.batches)} batches"
    return Group(
        plain(f"{plan.title} to {count(total, 'host')} in {rounds}; it stops {stop}"),
        plain(f"pools: {_used(plan, 'pool')}; routes: {_used(plan, 'route_text')}; parameters: {shown}"),
        Text(""),
        batches,
        Text(""),
        actions,
        Text(""),
        Text("Nothing was sent."),
    )


def _used(plan: Plan, attribute: str) -> str:
    counts: dict[str, int] = {}
    for target in plan.hosts.values():
        value = str(getattr(target, attribute))
        counts[value] = counts.get(value, 0) + 1
    return ", ".join(f"{value} ({hosts})" for value, hosts in counts.items())
