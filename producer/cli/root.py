"""The root of the command line: which commands there are, and what their ends mean for the exit code."""

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from config.errors import LongshoreError

INTERRUPTED = 130
BROKEN_PIPE = 141


class LazyGroup(click.Group):
    """Loads a command's module when it is used, so that help comes at once.

    Attributes:
        lazy: command to ``module:attribute`` and the line that help shows for it.
    """

    lazy: dict[str, tuple[str, str]]

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Every command, in the order in which people meet them."""
        return list(self.lazy)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Load one command."""
        if name not in self.lazy:
            return None
        module, _, attribute = self.lazy[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.lazy.items()])


class _ReaderGoneError(Exception):
    """Whoever read the output is gone. No OSError, which click would take for a failure of its own."""


class Longshore(LazyGroup):
    """The ``longshore`` command; every end has its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            raise _ReaderGoneError from None
        return code

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run it and exit."""
        kwargs["standalone_mode"] = False
        sys.exit(exit_code_of(lambda: super(Longshore, self).main(*args, **kwargs)))


def exit_code_of(command: Callable[[], Any]) -> int:
    """Run a command; what goes wrong is said on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a terminal that can't show it is no reason to fail
    try:
        code = command()
    except LongshoreError as error:
        text = str(error)
        click.echo(text if "\n" in text else f"Error: {text}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2  # whatever click refuses is bad input
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except _ReaderGoneError:
        # Python's own flush at its end must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code if isinstance(code, int) else 0


def _print_version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:  # noqa: FBT001 - click calls it
    if asked and not ctx.resilient_parsing:
        from producer.version import version  # noqa: PLC0415 - as lazy as the commands

        click.echo(f"longshore {version()}")
        ctx.exit()


main = Longshore(
    name="longshore",
    help="Deploy applications to fleets of hosts from a task queue.",
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        )
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
    lazy={
        "verify": ("producer.cli.submit:verify", "Verify that pools can reach hosts."),
        "plan": ("producer.cli.plan:plan", "Show what a deployment would do; send nothing."),
        "deploy": ("producer.cli.submit:deploy", "Deploy an application to a cluster, batch by batch."),
        "runs": ("producer.cli.look:runs", "List the newest runs."),
        "show": ("producer.cli.look:show_", "Show a run: its batches, hosts, steps and failures."),
        "watch": ("producer.cli.look:watch", "Follow a run to its end."),
        "logs": ("producer.cli.logs:logs", "Print what a run's hosts printed."),
        "explain": ("producer.cli.steer:explain", "Say how a run stands, and why it isn't moving."),
        "cancel": ("producer.cli.steer:cancel", "Ask for a run's end."),
        "pause": ("producer.cli.steer:pause", "Hold a run: hosts under way finish, no further one begins."),
        "resume": ("producer.cli.steer:resume", "Let a paused run go on."),
        "retry": ("producer.cli.steer:retry", "Try a run's hosts again that did not end well."),
        "rollback": ("producer.cli.steer:rollback", "Take a run's hosts back to what they had before."),
        "resolve": ("producer.cli.steer:resolve", "Decide about a host whose end is not known."),
        "pools": ("producer.cli.places:pools", "List pools, their live workers, and what waits."),
        "hosts": ("producer.cli.places:hosts", "List the fleet's hosts and when they were last verified."),
        "fleet": ("producer.cli.fleet:fleet", "Make a fleet file, and learn what it needs."),
        "worker": ("producer.cli.worker:worker", "Run workers of a pool on this machine."),
        "up": ("producer.cli.up:up", "Run everything on this machine: Redis, workers, Flower."),
    },
)
