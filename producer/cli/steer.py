"""``longshore cancel``, ``pause``, ``resume``, ``retry``, ``rollback``, ``resolve`` and ``explain``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import click

from config.errors import BadInputError
from producer.cli.following import exit_code, follow_to_end
from producer.cli.options import detach_option, json_option
from producer.cli.output import note, print_json, warn
from producer.cli.submit import ctrl_c_later, submit
from producer.client import Client
from producer.run import Run
from producer.steering import Rollback
from producer.wording import count, words
from tasks.outcomes import RunState
from tasks.waiting import abbreviated

if TYPE_CHECKING:
    from tasks.record.answers import Decision
    from tasks.replanning import Scope


@click.command(short_help="Ask for a run's end.")
@click.argument("run")
@click.option("--now", is_flag=True, help="Grant what runs on the hosts no time: KILL at once.")
@json_option
def cancel(run: str, *, now: bool, as_json: bool) -> None:
    """Ask for a run's end: no further host begins, and work under way is ended on its hosts.

    A host counts as cancelled once its processes are confirmed gone; where that can't be, it says so.
    """
    with Client() as client:
        answer = client.steer.cancel(run, now=now)
    if answer.state not in {None, RunState.CANCELLED}:
        raise BadInputError(f"Run {run} has {words(str(answer.state))} already; there is nothing to cancel.")
    if as_json:
        print_json({"id": run, "state": answer.state, "under_way": answer.under_way})
    elif answer.state:
        click.echo(f"Run {run} is cancelled.")
    else:
        hosts = f"; {count(answer.under_way, 'host')} under way being ended" if answer.under_way else ""
        click.echo(f"Run {run} is being cancelled{hosts}. Follow it with: longshore watch {run}")


@click.command(short_help="Hold a run: hosts under way finish, no further one begins.")
@click.argument("run")
@json_option
def pause(run: str, *, as_json: bool) -> None:
    """Hold a run: hosts under way finish, no further host begins until `longshore resume`."""
    with Client() as client:
        under_way = client.steer.pause(run)
    if as_json:
        print_json({"id": run, "state": RunState.PAUSED, "under_way": under_way})
        return
    hosts = f"; {count(under_way, 'host')} under way will finish" if under_way else ""
    click.echo(f"Run {run} is paused{hosts}. Let it go on with: longshore resume {run}")


@click.command(short_help="Let a paused run go on.")
@click.argument("run")
@json_option
def resume(run: str, *, as_json: bool) -> None:
    """Let a paused run go on where it stood."""
    with Client() as client:
        client.steer.resume(run)
    if as_json:
        print_json({"id": run, "resumed": True})
    else:
        click.echo(f"Run {run} goes on. Follow it with: longshore watch {run}")


@click.command(short_help="Try a run's hosts again that did not end well.")
@click.argument("run")
@detach_option
@json_option
def retry(run: str, *, detach: bool, as_json: bool) -> int:
    """Submit a new run of the hosts that failed, were unreachable, timed out, were cancelled or not started.

    Application, parameters and hosts are those of RUN, frozen as they were then.
    """
    with Client() as client:
        return submit(lambda: client.steer.retry(run), detach=detach, as_json=as_json)


@click.command(short_help="Take a run's hosts back to what they had before.")
@click.argument("run")
@click.option(
    "--scope",
    type=click.Choice(["touched", "all"]),
    default="touched",
    show_default=True,
    help="The hosts that the run began on, or all of its hosts.",
)
@detach_option
@json_option
def rollback(run: str, scope: str, *, detach: bool, as_json: bool) -> int:
    """Submit a new run that deploys the last good release that a run's hosts had before it.

    It says first which release each host goes back to. Hosts that go back to different releases take a run
    for each of them, one after the other. A release is brought as it was then, from its frozen record.
    """
    with Client() as client:
        rollbacks = client.steer.plan_rollback(run, scope=cast("Scope", scope))
        for each in rollbacks:
            note(_going_back(each))
        with ctrl_c_later() as interrupted:
            runs = client.steer.roll_back(run, rollbacks)
        for each in rollbacks:
            warn(each.plan.warnings)
        if detach or interrupted.is_set():
            return _told(runs, rollbacks, as_json=as_json)
        if as_json and len(runs) > 1:
            views = [each.wait() for each in runs]
            print_json({"runs": [view.model_dump(mode="json") for view in views]})
            return max(exit_code(view.state) for view in views)
        return max(follow_to_end(each, as_json=as_json) for each in runs)


def _told(runs: Sequence[Run], rollbacks: Sequence[Rollback], *, as_json: bool) -> int:
    if as_json:
        pairs = zip(runs, rollbacks, strict=True)
        print_json({"runs": [{"id": run.id, "release": each.release.run_id} for run, each in pairs]})
    else:
        click.echo("\n".join(run.id for run in runs))
    return 0


def _going_back(each: Rollback) -> str:
    by_title: dict[str, list[str]] = {}
    for name, title in each.before.items():
        by_title.setdefault(title, []).append(name)
    return "\n".join(
        f"{abbreviated(names)}: from {title} back to {each.release.title} (run {each.release.run_id})"
        for title, names in by_title.items()
    )


@click.command(short_help="Decide about a host whose end is not known.")
@click.argument("run")
@click.argument("host")
@click.option(
    "--as",
    "decision",
    type=click.Choice(["ok", "failed", "rerun"]),
    required=True,
    help="How it ended, as you found; or ask the host again, and run the step again whose end is not known.",
)
@json_option
def resolve(run: str, host: str, decision: str, *, as_json: bool) -> None:
    """Decide about a host whose end is not known (indeterminate), after having looked at it.

    Once no host's end is unknown any more the run goes on from there: with the next batch, or to its end.
    """
    with Client() as client:
        answer = client.steer.resolve(run, host, cast("Decision", decision))
    if as_json:
        print_json({"id": run, "host": host, "unknown": answer.unknown, "goes_on": answer.goes_on})
    elif answer.goes_on:
        click.echo(f"{host} is resolved, and run {run} goes on. Follow it with: longshore watch {run}")
    else:
        left = f"; how {count(answer.unknown, 'host')} ended is still not known" if answer.unknown else ""
        click.echo(f"{host} is resolved as {decision}{left}.")


@click.command(short_help="Say how a run stands, and why it isn't moving.")
@click.argument("run")
@json_option
def explain(run: str, *, as_json: bool) -> None:
    """Say in one sentence how a run stands, and why it isn't moving when it isn't."""
    with Client() as client:
        said = client.steer.explain(run)
    if as_json:
        print_json({"id": run, "explanation": said})
    else:
        click.echo(said)
