"""Follows runs to their ends, for every command that does."""

from rich.console import Console

from producer.cli.output import console, note, print_json, show
from producer.cli.root import INTERRUPTED
from producer.rendering.progress import Lines, LiveBars, ProgressView
from producer.rendering.runs import end_report
from producer.run import Run
from tasks.outcomes import RunState
from tasks.record.views import RunView

_EXIT_CODES = {RunState.SUCCEEDED: 0, RunState.NEEDS_ATTENTION: 3}


def follow_to_end(run: Run, *, as_json: bool, interrupted: bool = False) -> int:
    """Show a run, and the verification before it, until its end; return the exit code that it stands for.

    Ctrl-C leaves the run alone and says how to come back to it.

    Args:
        run: to be followed.
        as_json: print the run at its end, and nothing before.
        interrupted: Ctrl-C came already, while the run was submitted.
    """
    out = console(stderr=as_json)
    try:
        view = _follow(run, out, quietly=as_json, interrupted=interrupted)
    except KeyboardInterrupt:
        note(f"\nThe run goes on: {run.id}\nFollow it with: longshore watch {run.id}")
        return INTERRUPTED
    if as_json:
        print_json(view)
    else:
        show(end_report(view))
    return exit_code(view.state)


def exit_code(state: RunState) -> int:
    """The exit code that a run's end stands for."""
    return _EXIT_CODES.get(state, 1)


def _follow(run: Run, out: Console, *, quietly: bool, interrupted: bool) -> RunView:
    if interrupted:
        raise KeyboardInterrupt
    if quietly:
        return run.wait()
    verification = run.verification()
    if verification is not None and not run.view().state.ended:
        out.print(f"Hosts that were not verified lately are verified first, by run {verification.id}.")
        _watch(verification, out)
    _watch(run, out)
    return run.view()


def _watch(run: Run, out: Console) -> None:
    view: ProgressView = LiveBars(out) if out.is_terminal else Lines(out)
    with view:
        for progress in run.follow():
            view.show(progress)
