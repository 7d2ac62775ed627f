"""Colours, which repeat what the words say and never replace them."""

from rich.table import Table
from rich.text import Text

from producer.terminal import harmless_line
from producer.wording import words

_STYLES = {
    "ok": "green",
    "succeeded": "green",
    "running": "cyan",
    "done": "green",
    "sent": "dim",
    "waiting": "dim",
    "queued": "dim",
    "pending": "dim",
    "skipped": "dim",
    "not_started": "dim",
    "cancelled": "yellow",
    "needs_attention": "bold yellow",
    "indeterminate": "bold yellow",
}


def coded(code: str, text: str | None = None) -> Text:
    """A state or outcome in its colour; what isn't known is a failure."""
    return Text(text or words(code), style=_STYLES.get(code, "red"))


def plain(text: str) -> Text:
    """Text of whatever origin, in one line, meaning nothing but itself."""
    return Text(harmless_line(text))


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table in the house's style; ``right`` names the columns of figures."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made
