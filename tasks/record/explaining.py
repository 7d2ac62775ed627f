"""Reads what a run may wait for."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tasks.outcomes import RunState
from tasks.plan import Plan
from tasks.record import keys
from tasks.record.assembly import standings
from tasks.record.leases import deferrals, others_first, proxies_down
from tasks.record.presence import Presence
from tasks.record.store import as_text
from tasks.waiting import Circumstances

if TYPE_CHECKING:
    from redis import Redis

_HOSTS_READ = 100  # a sentence names a few hosts; a fleet of thousands needn't be asked for them


def circumstances(
    redis: "Redis", run_id: str, fields: Mapping[str, str], plan: Plan, statuses: Mapping[str, str]
) -> Circumstances:
    """What a run may wait for.

    Args:
        redis: the record.
        run_id: the run.
        fields: of its hash.
        plan: its plan.
        statuses: of its hosts.
    """
    state = RunState(fields["state"])
    unknown = [name for name, status in statuses.items() if status == "done indeterminate"]
    hosts = standings(plan, statuses, int(fields["batch"]))
    if state.ended:
        return Circumstances(state=state, hosts=hosts, workers=(), unknown=unknown)
    active = [str(as_text(each)) for each in redis.smembers(keys.ACTIVE)]
    verification = fields.get("verification")
    sent = [host.name for host in hosts if host.phase == "sent"][:_HOSTS_READ]
    waits = deferrals(redis, run_id)
    return Circumstances(
        state=state,
        hosts=hosts,
        workers=Presence(redis).live(),
        behind=others_first(redis, run_id, {name: plan.hosts[name] for name in sent})
        if plan.kind == "deployment"
        else {},
        verification=verification if int(fields["batch"]) < 0 and verification in active else None,
        paused_by=fields.get("paused_by"),
        cancelled_by=fields.get("cancelled_by"),
        down={
            proxy: f"since {clock(since)} ({why.split(' ')[0]})"
            for proxy, (since, why) in proxies_down(redis, run_id).items()
        },
        out_of_reach={
            name: each.cause.split(" ")[0]
            for name, each in waits.items()
            if not each.proxy and statuses.get(name, "").startswith("running")
        },
        unknown=unknown,
    )


def clock(milliseconds: float) -> str:
    """A time of day for a sentence, in UTC."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%H:%M:%S} UTC"
