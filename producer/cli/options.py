"""Options that several commands have."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from config.errors import BadInputError
from config.values import NAME_PATTERN

_Command = TypeVar("_Command", bound=Callable[..., Any])
DEFAULT_FLEET = "fleet.yaml"


def json_option(command: _Command) -> _Command:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")(
        command
    )


def fleet_option(command: _Command) -> _Command:
    """``--fleet``."""
    return click.option(
        "--fleet",
        "fleet",
        metavar="FILE",
        help=f"Fleet file; by default {DEFAULT_FLEET}, then $LONGSHORE_FLEET.",
    )(command)


def set_option(command: _Command) -> _Command:
    """``--set``."""
    return click.option(
        "--set",
        "assignments",
        metavar="NAME=VALUE",
        multiple=True,
        help="Value of a parameter of the application; may be repeated.",
    )(command)


def to_option(command: _Command) -> _Command:
    """``--to``."""
    return click.option(
        "--to",
        "targets",
        metavar="TARGET",
        multiple=True,
        required=True,
        help="A cluster, or a host of it; may be repeated.",
    )(command)


def detach_option(command: _Command) -> _Command:
    """``--detach``."""
    return click.option(
        "--detach", is_flag=True, help="Print the run's id and leave; don't follow it to its end."
    )(command)


def pool_option(*, required: bool) -> Callable[[_Command], _Command]:
    """``--pool``."""
    help_text = "Pool whose jobs are taken; may be repeated."
    if not required:
        help_text = "Pool to run workers of; may be repeated. By default all of the fleet, else official."
    return click.option(
        "--pool", "pools", metavar="NAME", multiple=True, required=required, callback=_names, help=help_text
    )


def _names(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not re.fullmatch(NAME_PATTERN, value):
            raise click.BadParameter(f'"{value}" is no name of a pool.')
    return tuple(dict.fromkeys(values))


def parameters_from(assignments: Iterable[str]) -> dict[str, str]:
    """Values by name, from ``NAME=VALUE`` texts.

    Raises:
        BadInputError: one has no ``=``, or a name is there twice.
    """
    values: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise BadInputError(f'"--set {assignment}" gives no value; write --set NAME=VALUE.')
        if name in values:
            raise BadInputError(f'"{name}" is set twice; leave one of them out.')
        values[name] = value
    return values


def fleet_file(given: str | None, from_settings: str | None) -> str | None:
    """The fleet file that is meant: the option, else ``fleet.yaml``, else the setting; None without any."""
    if given:
        return given
    return DEFAULT_FLEET if Path(DEFAULT_FLEET).exists() else from_settings


def required_fleet_file(given: str | None, from_settings: str | None) -> str:
    """The same where there must be one.

    Raises:
        BadInputError: there is none.
    """
    found = fleet_file(given, from_settings)
    if found is None:
        raise BadInputError(
            f"There is no fleet file: no --fleet, no {DEFAULT_FLEET} in {Path.cwd()}, no $LONGSHORE_FLEET. "
            "Write one (docs/how-to), or make one with `longshore fleet import`."
        )
    return found
