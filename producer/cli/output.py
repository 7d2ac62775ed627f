"""Where output goes: people's on a console, programs' as one JSON document."""

import json
import sys
from collections.abc import Iterable
from typing import Any

import click
from pydantic import BaseModel
from rich.console import Console, RenderableType

UNBOUNDED_WIDTH = 4096


def console(*, stderr: bool = False) -> Console:
    """A console on which text means nothing but itself; without a terminal no line is broken or cut."""
    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    return Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        width=None if terminal else UNBOUNDED_WIDTH,
        soft_wrap=not terminal,
    )


def show(renderable: RenderableType) -> None:
    """Print for people; where no terminal pads its lines, nothing else does."""
    out = console()
    if out.is_terminal:
        out.print(renderable)
        return
    with out.capture() as captured:
        out.print(renderable)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    if isinstance(document, BaseModel):
        document = document.model_dump(mode="json")
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """Say something beside the output proper, on standard error."""
    click.echo(text, err=True)


def warn(warnings: Iterable[str]) -> None:
    """Say what a plan or run warns of, beside the output proper."""
    for warning in warnings:
        note(f"Warning: {warning}")
