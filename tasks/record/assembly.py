"""Puts the parts of the record together into what people and programs read. Pure."""

from collections.abc import Mapping
from typing import Literal, cast

from config.targets import HostTarget
from tasks.outcomes import HostResult, Outcome, RunState, StepResult
from tasks.plan import Plan
from tasks.record.views import BatchView, EventView, HostPhase, HostView, RunSummary, RunView
from tasks.waiting import HostStanding


def run_view(
    run_id: str, fields: dict[str, str], plan: Plan, batches: tuple[BatchView, ...], waiting: str
) -> RunView:
    """Everything about a run but its logs; secrets are named, never shown."""
    return RunView(
        id=run_id,
        kind=plan.kind,
        title=fields["title"],
        state=RunState(fields["state"]),
        application=plan.application.application if plan.application else None,
        parameters=plan.parameters | dict.fromkeys(plan.secrets, "(secret)"),
        operator=fields["operator"],
        created=_seconds(fields["created"]),
        started=_optional_seconds(fields.get("started")),
        finished=_optional_seconds(fields.get("finished")),
        batches=batches,
        verification=fields.get("verification"),
        cancelled_by=fields.get("cancelled_by"),
        paused_by=fields.get("paused_by"),
        retry_of=fields.get("retry_of"),
        rollback_of=fields.get("rollback_of"),
        followed_by=fields.get("followed_by"),
        reason=fields.get("reason", ""),
        waiting=waiting,
        warnings=plan.warnings,
    )


def run_summary(run_id: str, fields: dict[str, str]) -> RunSummary:
    """One line about a run."""
    return RunSummary.model_validate(
        {
            "id": run_id,
            "kind": fields["kind"],
            "title": fields["title"],
            "state": fields["state"],
            "operator": fields["operator"],
            "created": _seconds(fields["created"]),
            "finished": _optional_seconds(fields.get("finished")),
            "hosts": fields["hosts"],
            "failed": fields["failed"],
        }
    )


def batch_state(position: int, current: int, left: int) -> Literal["waiting", "running", "done"]:
    """How a batch stands, from the one under way and how many of its hosts haven't ended."""
    if position > current:
        return "waiting"
    return "running" if position == current and left else "done"


def host_phase(status: str) -> HostPhase:
    """How far a host is, from ``waiting``, ``sent``, ``running TOKEN`` or ``done OUTCOME``."""
    return cast("HostPhase", status.split(" ", 1)[0])


def host_view(
    target: HostTarget,
    status: str,
    result: HostResult | None,
    *,
    run_ended: bool,
    steps: tuple[StepResult, ...] = (),
) -> HostView:
    """One host of a run.

    Args:
        target: as planned.
        status: as the record has it.
        result: once it has ended.
        run_ended: a host without a result was then never begun.
        steps: while it is under way, as far as they are known.
    """
    view = HostView(
        name=target.name, pool=target.pool, route=target.route_text, phase=host_phase(status), steps=steps
    )
    if result is None:
        return view.model_copy(update={"outcome": Outcome.NOT_STARTED}) if run_ended else view
    return view.model_copy(
        update={
            "outcome": result.outcome,
            "cause": result.cause,
            "message": result.message,
            "seconds": result.seconds,
            "steps": result.steps,
        }
    )


def standings(plan: Plan, statuses: Mapping[str, str], batch: int) -> list[HostStanding]:
    """How far the hosts of ``batch`` are; those of all batches before the first (-1)."""
    batches = plan.batches if batch < 0 else plan.batches[batch : batch + 1]
    return [
        HostStanding(name=name, pool=plan.hosts[name].pool, phase=host_phase(statuses.get(name, "waiting")))
        for names in batches
        for name in names
    ]


def event_view(entry_id: str, fields: dict[bytes, bytes]) -> EventView:
    """One entry of a run's stream."""
    return EventView(
        id=entry_id,
        at=int(entry_id.split("-", maxsplit=1)[0]) / 1000,
        kind=fields[b"t"].decode(),
        host=fields[b"h"].decode(),
        data=fields[b"d"].decode(errors="replace"),
    )


def _seconds(milliseconds: str) -> float:
    return int(milliseconds) / 1000


def _optional_seconds(milliseconds: str | None) -> float | None:
    return _seconds(milliseconds) if milliseconds else None
