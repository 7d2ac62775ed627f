"""Failures for people: what happened, why, what to try; once per cause."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from producer.failures import MESSAGES_SHOWN, FailureGroup
from producer.rendering.styles import coded, plain
from producer.wording import count, words
from tasks.waiting import abbreviated

NAMES_SHOWN = 8


def failure_report(groups: tuple[FailureGroup, ...]) -> RenderableType:
    """All groups, one under the other."""
    return Group(*(part for group in groups for part in _parts(group)))


def _parts(group: FailureGroup) -> Iterator[RenderableType]:
    head = f"{count(len(group.hosts), 'host')} {words(group.outcome)}"
    yield Text("")
    yield coded(group.outcome, f"{head}: {group.cause}" if group.cause else head)
    yield Padding(_details(group), (0, 0, 0, 2), expand=False)


def _details(group: FailureGroup) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("hosts", abbreviated(group.hosts, NAMES_SHOWN))
    if group.explanation:
        grid.add_row("what happened", group.explanation.happened)
        grid.add_row("why", group.explanation.why)
        grid.add_row("what to try", group.explanation.remedy)
    for message, hosts in group.messages[:MESSAGES_SHOWN]:
        named = hosts[0] in message
        grid.add_row("seen", plain(message if named else f"{abbreviated(hosts, 2)}: {message}"))
    if len(group.messages) > MESSAGES_SHOWN:
        grid.add_row("", f"and {len(group.messages) - MESSAGES_SHOWN} more messages")
    return grid
