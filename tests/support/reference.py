"""The parts of the reference pages that say what the code says.

``python -m tests.support.reference`` writes them anew; a test compares them.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from config.causes import Cause
from config.explanations import explain
from producer.cli import main

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
HELP_WIDTH = 100


def commands() -> str:
    """Every command with its help."""
    return "\n".join(
        f"## {' '.join(path)}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
        for path, command, context in _walk(main, ("longshore",), None)
    )


def causes() -> str:
    """Every cause in words."""
    rows = ["| cause | what happened | why, likeliest first | what to try |", "|---|---|---|---|"]
    for cause in Cause:
        words = explain(cause)
        rows.append(f"| `{cause}` | {_cell(words.happened)} | {_cell(words.why)} | {_cell(words.remedy)} |")
    return "\n".join(rows) + "\n"


def part(page: str, name: str) -> str:
    """The part of a page between its marks."""
    match = re.search(
        rf"<!-- {name} -->\n(.*)<!-- end of {name} -->", (REFERENCE / page).read_text(), re.DOTALL
    )
    assert match is not None
    return match[1]


def write(page: str, name: str, text: str) -> None:
    """Write that part anew."""
    path = REFERENCE / page
    head, _, rest = path.read_text().partition(f"<!-- {name} -->\n")
    tail = rest.partition(f"<!-- end of {name} -->")[2]
    path.write_text(f"{head}<!-- {name} -->\n\n{text}\n<!-- end of {name} -->{tail}")


def _walk(
    command: click.Command, path: tuple[str, ...], parent: click.Context | None
) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    context = click.Context(command, info_name=path[-1], parent=parent, **command.context_settings)
    context.terminal_width = HELP_WIDTH
    yield path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _walk(child, (*path, name), context)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    write("commands.md", "commands", commands())
    write("exit-codes-and-causes.md", "causes", causes())
