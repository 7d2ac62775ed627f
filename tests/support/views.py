"""Runs as they are read from the record, for tests of what is shown of them."""

from typing import Any

from tasks.outcomes import Outcome, RunState
from tasks.record.views import BatchView, EventView, HostView, RunView


def host(name: str, outcome: str | None = None, **fields: Any) -> HostView:
    """One host; it has ended when it has an outcome."""
    given = {"phase": "done", "outcome": Outcome(outcome)} if outcome else {}
    return HostView.model_validate({"name": name, "pool": "official", "route": "direct", **given, **fields})


def run(*batches: tuple[HostView, ...], **fields: Any) -> RunView:
    """A deployment of shop 1.4 that failed, unless told otherwise."""
    values: dict[str, Any] = {
        "id": "20260131-142530-9f3a",
        "kind": "deployment",
        "title": "shop 1.4",
        "state": RunState.FAILED,
        "application": "shop",
        "parameters": {"version": "1.4"},
        "operator": "ana",
        "created": 1769869530.0,
        "started": 1769869531.0,
        "finished": 1769869573.0,
        "batches": tuple(
            BatchView(index=index, state="done", hosts=hosts) for index, hosts in enumerate(batches, start=1)
        ),
    }
    return RunView.model_validate(values | fields)


def event(number: int, kind: str, host_name: str = "", data: str = "", *, at: float = 0.0) -> EventView:
    """One event of a run's stream."""
    return EventView(id=f"{number}-0", at=at, kind=kind, host=host_name, data=data)
