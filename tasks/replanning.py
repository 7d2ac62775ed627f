"""From a run that is over to the plan of one that follows it: pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from config.errors import BadInputError
from tasks.batches import split_batches
from tasks.outcomes import Outcome
from tasks.plan import Plan

RETRIED = frozenset(
    {Outcome.FAILED, Outcome.UNREACHABLE, Outcome.TIMED_OUT, Outcome.CANCELLED, Outcome.NOT_STARTED}
)
Scope = Literal["touched", "all"]
"""Which hosts of a run go back: those that it began on, or all."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """What a run brought to hosts, kept so that it can be brought to them again.

    Attributes:
        run_id: of that run.
        title: it, for people.
        created: when that run was written, in ms by the server's clock.
    """

    run_id: str
    title: str
    created: int
    plan: Plan


def plan_retry(plan: Plan, outcomes: Mapping[str, Outcome]) -> Plan:
    """The same run for the hosts that it did not bring to a good end, frozen as it was.

    Args:
        plan: of the run.
        outcomes: of its hosts.

    Raises:
        BadInputError: there are no such hosts.
    """
    names = [name for batch in plan.batches for name in batch if outcomes.get(name) in RETRIED]
    if names:
        return _for_hosts(plan, plan, names)
    unknown = [name for name, outcome in outcomes.items() if outcome is Outcome.INDETERMINATE]
    if unknown:
        raise BadInputError(
            f"How {', '.join(unknown)} ended is not known, and every other host ended ok: there is nothing "
            "to retry. Look at the host, then: longshore resolve RUN HOST --as ok|failed|rerun"
        )
    raise BadInputError("Every host ended ok: there is nothing to retry.")


def plan_rollbacks(
    plan: Plan, outcomes: Mapping[str, Outcome], releases: Mapping[str, Release | None], *, scope: Scope
) -> list[tuple[Release, Plan]]:
    """For each release that hosts of a run go back to, the plan that brings it to them again.

    Args:
        plan: of the run.
        outcomes: of its hosts.
        releases: host to the last good release that it had before this run; None where none is known.
        scope: which hosts go back.

    Raises:
        BadInputError: there are no such hosts, or one of them has nothing to go back to.
    """
    names = [
        name
        for batch in plan.batches
        for name in batch
        if scope == "all" or outcomes.get(name, Outcome.NOT_STARTED) is not Outcome.NOT_STARTED
    ]
    if not names:
        raise BadInputError("The run has not begun on any host: there is nothing to take back.")
    without = [name for name in names if releases.get(name) is None]
    if without:
        raise BadInputError(_nothing_before(plan, without))
    hosts_of: dict[str, list[str]] = defaultdict(list)
    for name in names:
        release = releases[name]
        assert release is not None  # noqa: S101 - as checked above
        hosts_of[release.run_id].append(name)
    found = {release.run_id: release for release in releases.values() if release is not None}
    return [
        (found[run_id], _for_hosts(found[run_id].plan, plan, hosts)) for run_id, hosts in hosts_of.items()
    ]


def _nothing_before(plan: Plan, names: Sequence[str]) -> str:
    application = plan.application.application if plan.application else ""
    return (
        f"No earlier good release of {application} is known for {', '.join(names)}: it was their first, was "
        "brought there by other means, or is older than records are kept. Deploy the version that you want."
    )


def _for_hosts(release: Plan, run: Plan, names: Sequence[str]) -> Plan:
    """What one plan brings, to some hosts of another, in batches of their own."""
    sizes = release.application.rollout.batches if release.application else ("100%",)
    return release.model_copy(
        update={"batches": split_batches(names, sizes), "hosts": {name: run.hosts[name] for name in names}}
    )
