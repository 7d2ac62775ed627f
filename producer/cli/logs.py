"""``longshore logs``."""

import sys
import time
from collections.abc import Sequence

import click

from config.errors import BadInputError
from producer.cli.options import json_option
from producer.cli.output import note, print_json, warn
from producer.cli.root import INTERRUPTED
from producer.client import Client
from producer.failures import hosts_of
from producer.logtext import LineFeed, cut_notice, log_bytes, log_text
from producer.run import Run
from producer.terminal import decoded, harmless
from producer.wording import words
from tasks.record.views import HostView

POLL_SECONDS = 0.5


@click.command(short_help="Print what a run's hosts printed.")
@click.argument("run")
@click.argument("host", required=False)
@click.option("--follow", is_flag=True, help="Go on until the hosts have ended.")
@click.option("--raw", is_flag=True, help="Print the bytes unchanged, control characters too.")
@json_option
def logs(run: str, host: str | None, *, follow: bool, raw: bool, as_json: bool) -> int:
    """Print what a run's hosts printed; all of them, or one HOST.

    Colours are left out and other control characters are made visible, so that what a host prints can't
    touch the terminal.
    """
    if sum((follow, raw, as_json)) > 1:
        raise BadInputError("--follow, --raw and --json exclude each other; choose one.")
    with Client() as client:
        handle = client.run(run)
        chosen = _chosen(handle, host)
        if follow:
            warn(handle.plan().warnings)
            return _follow(handle, [each.name for each in chosen])
        if as_json:
            print_json({"id": run, "hosts": [_document(handle, each.name) for each in chosen]})
        elif raw:
            for each in chosen:
                sys.stdout.buffer.write(log_bytes(handle.log(each.name)))
        else:
            _print(handle, chosen, headed=host is None)
    return 0


def _chosen(run: Run, host: str | None) -> list[HostView]:
    hosts = list(hosts_of(run.view()))
    if host is None:
        return hosts
    chosen = [each for each in hosts if each.name == host]
    if not chosen:
        raise BadInputError(f'Run {run.id} has no host "{host}"; `longshore show {run.id}` lists its hosts.')
    return chosen


def _print(run: Run, hosts: Sequence[HostView], *, headed: bool) -> None:
    for host in hosts:
        text = log_text(run.log(host.name))
        if headed:
            click.echo(f"== {host.name} ({words(host.outcome or host.phase)})")
        click.echo(text, nl=not text.endswith("\n") if text else False)


def _document(run: Run, host: str) -> dict[str, object]:
    log = run.log(host)
    return {"name": host, "log": decoded(log.head), "cut": log.cut, "tail": decoded(log.tail)}


def _follow(run: Run, hosts: Sequence[str]) -> int:
    """Print as it comes; with several hosts each line begins with its host."""
    followed = [_FollowedLog(run, host, prefix=f"{host} | " if len(hosts) > 1 else "") for host in hosts]
    try:
        while followed:
            # Asked before reading: what is printed in between is then read, not missed.
            done = run.hosts_done([log.host for log in followed])
            for log in followed:
                log.print_news()
                if log.host in done:
                    log.print_end()
            followed = [log for log in followed if log.host not in done]
            sys.stdout.flush()
            if followed:
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        note(f"\nThe run goes on: {run.id}")
        return INTERRUPTED
    return 0


class _FollowedLog:
    def __init__(self, run: Run, host: str, *, prefix: str) -> None:
        self.host = host
        self._run = run
        self._prefix = prefix
        self._read = 0
        self._feed = LineFeed()

    def print_news(self) -> None:
        """Print what was added to the head since the last time."""
        news = self._run.log_head(self.host, start=self._read)
        self._read += len(news)
        self._print(self._feed.take(news))

    def print_end(self) -> None:
        """Print what was held back, and the tail of a log that was cut."""
        self._print(self._feed.rest())
        log = self._run.log(self.host)
        if log.cut:
            self._print(cut_notice(log.cut) + harmless(decoded(log.tail)))

    def _print(self, text: str) -> None:
        for line in text.splitlines():
            click.echo(self._prefix + line)
