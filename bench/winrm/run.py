"""One run inside the namespaces: the lab is started, the rows are played, the outcome is shown."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from bench import longshore, namespace, rounds, table
from bench.lab import WARM_HOSTS
from bench.longshore import Services
from bench.measure import WindowsSample, spread
from bench.rounds import Row
from bench.winrm import rows, silence, targets, uploads
from bench.winrm.lab import make_password, running_lab
from bench.winrm.silence import Silence
from bench.winrm.uploads import Upload

_LABEL = "WinRM protocol lab: no Windows has run any of it"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for.

    Attributes:
        at_once: hosts in work at the same time.
        upload_bytes: size of the file that is uploaded.
        silence: seconds for which a step prints nothing.
        json: where every figure goes.
    """

    hosts: int
    rounds: int
    at_once: int
    upload_bytes: int
    silence: int
    json: Path | None


@dataclass(frozen=True, kw_only=True)
class _Measured:
    rows: Sequence[Row]
    uploads: Sequence[Upload]
    silence: Silence


def run(options: Options) -> int:
    """Longshore and pywinrm over the lab's stand-in Windows hosts, side by side."""
    namespace.furnish()
    make_password()
    folder = namespace.RUN / "longshore"
    folder.mkdir()
    with Services(folder, longshore.workers_of(1, options.at_once)) as services:
        return _report(options, _measured(options, services, folder))


def _measured(options: Options, services: Services, folder: Path) -> _Measured:
    with running_lab(folder / "lab", options.hosts + WARM_HOSTS, tls=True) as lab:
        taking_part = rows.contenders_of(lab, services, folder, hosts=options.hosts, at_once=options.at_once)
        played = rounds.play(taking_part, [options.hosts], options.rounds, reference=rows.SESSION, say=_say)
        services.start_workers()
        silent = silence.measure(
            lab, services, folder, hosts=min(options.hosts, options.at_once), seconds=options.silence
        )
    sent = []
    for _ in range(options.rounds):
        for tls in (True, False):
            sent.append(uploads.measure(services, folder, options.upload_bytes, tls=tls))
            _say(f"upload over {'HTTPS' if tls else 'HTTP'}: {sent[-1].rate:.1f} MB/s")
    return _Measured(rows=played, uploads=sent, silence=silent)


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def _report(options: Options, measured: _Measured) -> int:
    console = Console(width=None if sys.stdout.isatty() else 150)
    cores = os.cpu_count() or 1
    verdicts = targets.judge(measured.rows, measured.uploads)
    console.print(_LABEL, style="bold")
    table.show_rows(
        console,
        measured.rows,
        at_once=options.at_once,
        cores=cores,
        hosts_are="the lab",
        more={
            "requests/host": _middle(lambda sample: sum(sample.requests.values())),
            "for output": _middle(lambda sample: sample.requests.get(rows.WAITS, 0.0)),
        },
    )
    table.show_verdicts(console, verdicts)
    _show_rest(console, measured)
    if options.json is not None:
        document = {
            "what": _LABEL,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "cores": cores,
            "at_once": options.at_once,
            "versions": {"pywinrm": version("pywinrm"), "python": sys.version.split()[0]},
            "rows": [asdict(row) for row in measured.rows],
            "uploads": [asdict(upload) for upload in measured.uploads],
            "silence": asdict(measured.silence),
            "targets": [asdict(verdict) for verdict in verdicts],
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 1 if any(verdict.reached is False for verdict in verdicts) else 0


def _middle(figure: Callable[[WindowsSample], float]) -> Callable[[Row], str]:
    """A column with the median of a figure."""

    def cell(row: Row) -> str:
        figures = [figure(sample) for sample in row.samples if isinstance(sample, WindowsSample)]
        return f"{spread(figures).median:.1f}" if figures else ""

    return cell


def _show_rest(console: Console, measured: _Measured) -> None:
    """What has no target: the CPU of uploads, and what silence costs."""
    for tls in (True, False):
        sent = [upload for upload in measured.uploads if upload.tls is tls]
        cpu = spread([upload.client_cpu for upload in sent]).median
        lab = spread([upload.host_cpu for upload in sent]).median
        console.print(
            f"{sent[0].size / 1e6:g} MB over {'HTTPS' if tls else 'HTTP'}: {cpu:.1f} s of CPU in the worker, "
            f"{lab:.1f} s in the lab"
        )
    silent = measured.silence
    cpu = 1000 * silent.client_cpu / silent.hosts / silent.seconds
    console.print(
        f"a step that prints nothing for {silent.seconds:g} s, on {silent.hosts} hosts: "
        f"{silent.requests:.1f} requests a host, {cpu:.2f} ms of the worker's CPU a host and second"
    )
