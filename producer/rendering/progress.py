"""A run's progress for people: bars on a terminal, one line per event elsewhere."""

import json
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from producer.progress import BatchProgress, Progress
from producer.rendering.styles import coded, plain
from producer.wording import count, duration, words
from tasks.outcomes import Outcome
from tasks.record.views import EventView

FAILURES_TOLD = 20
BATCHES_AROUND = 3


class ProgressView(Protocol):
    """Shows progress as it comes; a context that leaves the terminal as it was."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, progress: Progress) -> None:
        """Show how far a run is."""


class Lines:
    """One plain line per event of interest."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._standstill = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, progress: Progress) -> None:
        """Print what is new; a standstill once, until something moves."""
        for line in lines_of(progress):
            self._console.print(line)
        standstill = _standstill(progress)
        if standstill and standstill != self._standstill:
            self._console.print(Text(standstill))
        self._standstill = standstill


class LiveBars:
    """One bar per batch around the one under way, and failures as they happen above them."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[detail]}"),
            console=console,
        )
        self._live = Live(Group(self._bars), console=console, transient=True, refresh_per_second=8)
        self._tasks: dict[tuple[str, int], TaskID] = {}
        self._told = 0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        """Move the bars."""
        for event in progress.events:
            if event.kind == "host_finished":
                self._tell_failure(event)
        current = max((batch.index for batch in progress.batches if batch.begun is not None), default=1)
        for batch in progress.batches:
            self._move(progress, batch, visible=abs(batch.index - current) <= BATCHES_AROUND)
        self._live.update(Group(self._bars, Text(_standstill(progress), style="yellow")))

    def _move(self, progress: Progress, batch: BatchProgress, *, visible: bool) -> None:
        key = (progress.run_id, batch.index)
        if key not in self._tasks:
            if not visible:
                return
            of = len(progress.batches)
            name = f"{progress.title} batch {batch.index}/{of}" if of > 1 else progress.title
            self._tasks[key] = self._bars.add_task(plain(name).plain, total=batch.hosts, detail="")
        detail = batch_detail(batch, progress.now)
        self._bars.update(self._tasks[key], completed=batch.done, detail=detail, visible=visible)

    def _tell_failure(self, event: EventView) -> None:
        line = _host_line(event)
        if json.loads(event.data)["outcome"] == Outcome.OK or self._told > FAILURES_TOLD:
            return
        self._told += 1
        told_all = self._told > FAILURES_TOLD
        self._live.console.print(Text("further failures are told at the end") if told_all else line)


def batch_detail(batch: BatchProgress, now: float) -> str:
    """What stands beside a batch's bar: ``2 failed, 12 running, 0:40 left``."""
    if batch.begun is None and not batch.done:
        return "waiting"
    parts = [f"{batch.failed} failed"] if batch.failed else []
    if batch.running:
        parts.append(f"{batch.running} running")
    left = batch.seconds_left(now)
    if left is not None and batch.done < batch.hosts:
        parts.append(f"{duration(left)} left")
    return ", ".join(parts)


def lines_of(progress: Progress) -> Iterator[Text]:
    """The plain lines for what is new in a run."""
    for event in progress.events:
        if event.kind == "batch":
            yield _batch_line(progress, event)
        elif event.kind == "host_finished":
            yield _host_line(event)
        elif event.kind in _SENTENCES:
            yield plain(_SENTENCES[event.kind](event))


_SENTENCES: Mapping[str, Callable[[EventView], str]] = {
    "host_taken_over": lambda event: f"{event.host} is taken over by {event.data.split(' ', 1)[0]}",
    "host_handed_over": lambda event: f"{event.host} is handed over: its worker {event.data} is ending",
    "host_waits": lambda event: f"{event.host} can't be reached, and is tried again later: {event.data}",
    "sent_again": lambda event: f"the messages of {count(len(event.data.split()), 'host')} are sent again",
    "cancel": lambda event: f"cancelled by {event.data}; hosts under way are being ended",
    "pause": lambda event: f"paused by {event.data}; hosts under way finish",
    "resume": lambda event: f"{event.data} lets it go on",
    "route_down": lambda event: f"proxy {event.data.replace(' ', ' is down: ', 1)}",
    "route_up": lambda event: f"proxy {event.data} is up again",
    "resolved": lambda event: f"{event.host} is resolved as {event.data.replace(' ', ' by ', 1)}",
    "reopened": lambda event: f"{event.data} lets the run go on",
}


def _batch_line(progress: Progress, event: EventView) -> Text:
    index, begun, _ = event.data.split(" ", 2)
    position = f"batch {int(index) + 1} of {len(progress.batches)}"
    return plain(f"{progress.title}: {position} begins, {count(int(begun), 'host')}")


def _host_line(event: EventView) -> Text:
    result = json.loads(event.data)
    outcome, cause, message = result["outcome"], result.get("cause"), result.get("message")
    why = f": {cause}" if cause else ""
    line = Text(f"{event.host} ").append_text(coded(outcome, f"{words(outcome)}{why}"))
    if message:
        line.append(" - ").append_text(plain(message))
    if "seconds" in result:
        line.append(f" ({duration(result['seconds'])})", style="dim")
    return line


def _standstill(progress: Progress) -> str:
    if progress.outage:
        return f"the record can't be reached, trying again: {progress.outage}"
    return progress.waiting
