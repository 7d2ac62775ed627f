"""Runs for people."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from producer.failures import failures, hosts_of
from producer.rendering.failures import failure_report
from producer.rendering.styles import coded, plain, table
from producer.wording import count, duration, moment, outcome_counts, words
from tasks.outcomes import Outcome, StepState
from tasks.record.views import BatchView, HostView, RunSummary, RunView

_PASSED = {StepState.OK, StepState.SKIPPED}


def runs_table(runs: Sequence[RunSummary]) -> Table:
    """One line per run."""
    made = table("run", "what", "state", "hosts", "failed", "by", "created", right=("hosts", "failed"))
    for run in runs:
        made.add_row(
            run.id,
            plain(run.title),
            coded(run.state),
            str(run.hosts),
            str(run.failed),
            plain(run.operator),
            moment(run.created),
        )
    return made


def run_report(view: RunView) -> RenderableType:
    """Everything about a run: how it stands, its hosts, and what failed of them."""
    hosts = [verification_table(view)] if view.kind == "verification" else list(_batches(view))
    return Group(_head(view), *hosts, failure_report(failures(view)))


def end_report(view: RunView) -> RenderableType:
    """What is said when a run that was followed has ended."""
    parts: list[RenderableType] = [verification_table(view)] if view.kind == "verification" else []
    parts += [failure_report(failures(view)), Text(""), end_line(view)]
    return Group(*parts)


def end_line(view: RunView) -> Text:
    """A run's end in one line."""
    took = f" in {duration(view.finished - view.started)}" if view.finished and view.started else ""
    reason = f": {view.reason}" if view.reason else ""
    line = coded(view.state, f"{view.title} {words(view.state)}{took}{reason}")
    return line.append(f" ({outcome_counts(view)}; run {view.id})", style="default")


def verification_table(view: RunView) -> Table:
    """One line per host, in the order of the fleet, with the time of every stage."""
    made = table("host", "pool", "route", "outcome", "cause", "stages (ms)")
    for host in hosts_of(view):
        stages = Text(", ").join(
            coded(step.state, f"{step.name} {(step.seconds or 0.0) * 1000:.0f}") for step in host.steps
        )
        made.add_row(host.name, host.pool, plain(host.route), _outcome(host), host.cause or "", stages)
    return made


def _head(view: RunView) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _facts(view):
        grid.add_row(name, value)
    grid.add_row("", "")
    return grid


def _facts(view: RunView) -> Iterator[tuple[str, Text]]:
    yield "run", plain(f"{view.id}: {view.title}, {view.kind} by {view.operator}")
    state = coded(view.state)
    if view.reason:
        state.append(f": {view.reason}", style="default")
    yield "state", state
    if view.waiting:
        yield "", Text(view.waiting, style="yellow")
    if view.cancelled_by and not view.state.ended:
        yield "", plain(f"cancelled by {view.cancelled_by}; hosts under way are being ended")
    links = {"retries": view.retry_of, "rolls back": view.rollback_of, "followed by": view.followed_by}
    for what, run_id in links.items():
        if run_id:
            yield what, plain(f"run {run_id}")
    if view.parameters:
        yield "parameters", plain(", ".join(f"{name}={value}" for name, value in view.parameters.items()))
    if view.verification:
        yield "verified by", plain(f"run {view.verification}")
    started = f", started {moment(view.started)}" if view.started else ""
    finished = f", finished {moment(view.finished)}" if view.finished else ""
    yield "time", Text(f"created {moment(view.created)}{started}{finished}")


def _batches(view: RunView) -> Iterator[RenderableType]:
    for batch in view.batches:
        title = f"batch {batch.index} of {len(view.batches)}, {count(len(batch.hosts), 'host')}: "
        never = view.state.ended and batch.state == "waiting"
        yield Text(title, style="bold").append_text(coded("not_started" if never else batch.state))
        yield _batch_table(batch)
        yield Text("")


def _batch_table(batch: BatchView) -> Table:
    made = table("host", "pool", "route", "outcome", "cause", "time", "steps", right=("time",))
    for host in batch.hosts:
        time = duration(host.seconds)
        made.add_row(
            host.name, host.pool, plain(host.route), _outcome(host), host.cause or "", time, _steps(host)
        )
    return made


def _outcome(host: HostView) -> Text:
    return coded(host.outcome) if host.outcome else coded(host.phase)


def _steps(host: HostView) -> Text:
    """How many are done, and the one that matters: under way, or the one that failed."""
    if not host.steps:
        return Text("")
    done = sum(step.state in {StepState.OK, StepState.SKIPPED} for step in host.steps)
    line = Text(f"{done}/{len(host.steps)}")
    telling = next(
        (
            step
            for step in host.steps
            if step.state not in {StepState.OK, StepState.SKIPPED, StepState.PENDING}
        ),
        None,
    )
    if telling is None or host.outcome is Outcome.OK:
        return line
    code = f" (exit {telling.exit_code})" if telling.exit_code else ""
    line.append(" ")
    return line.append_text(coded(telling.state)).append_text(plain(f": {telling.name}{code}"))
