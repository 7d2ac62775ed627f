"""One run inside the namespaces: the lab is set up, the rows are played, the outcome is shown."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from bench import contenders, servers, table, targets
from bench.lab import Lab, make_lab
from bench.measure import Sample
from bench.rounds import Contender, Row, play

_PEER_SECONDS = 60.0
_PEER_SECONDS_A_HOST = 4.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for.

    Attributes:
        sizes: numbers of hosts.
        only: beginnings of names of rows; empty for all.
        at_once: hosts in work at the same time.
        processes: worker processes.
        threads: of each worker process.
        json: where every figure goes.
    """

    sizes: tuple[int, ...]
    rounds: int
    only: tuple[str, ...]
    quick: bool
    at_once: int
    processes: int
    threads: int
    json: Path | None

    def wants(self, name: str) -> bool:
        """Whether a row is to be measured; the reference always is."""
        return not self.only or name == contenders.REFERENCE or name.startswith(self.only)


def run(options: Options) -> int:
    """Measure, print, and say with the exit code whether a target was missed."""
    lab = make_lab(max(options.sizes), at_once=options.at_once)
    taking_part = _peers(options, lab)
    own = [name for name in targets.ROWS if options.wants(name)]
    with ExitStack() as services:
        if own:
            from bench import product  # noqa: PLC0415 - the peers can be measured without the product

            wish = product.Wish(
                rows=own, sizes=options.sizes, processes=options.processes, threads=options.threads
            )
            taking_part += services.enter_context(product.running(lab, wish))
        rows = play(taking_part, options.sizes, options.rounds, reference=contenders.REFERENCE, say=_say)
        single = product.single_figures(lab, wish) if own else targets.Single()
    return _report(options, rows, targets.judge(rows, single) if own else [])


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def _peers(options: Options, lab: Lab) -> list[Contender]:
    def most(peer: contenders.Peer) -> int | None:
        return peer.quick or peer.most if options.quick else peer.most

    def measure(peer: contenders.Peer, count: int) -> Sample:
        servers.empty_homes()
        return contenders.measure(peer, count, lab, _PEER_SECONDS + _PEER_SECONDS_A_HOST * count)

    return [
        Contender(
            name=peer.name,
            title=peer.title,
            most=most(peer),
            rounds=peer.rounds,
            measure=partial(measure, peer),
        )
        for peer in contenders.PEERS
        if options.wants(peer.name)
    ]


def _report(options: Options, rows: Sequence[Row], verdicts: Sequence[targets.Verdict]) -> int:
    console = Console(width=None if sys.stdout.isatty() else 130)
    cores = os.cpu_count() or 1
    table.show_rows(console, rows, at_once=options.at_once, cores=cores)
    if verdicts:
        table.show_verdicts(console, verdicts)
    if options.json is not None:
        document = {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "cores": cores,
            "at_once": options.at_once,
            "workers": {"processes": options.processes, "threads": options.threads},
            "versions": _versions(),
            "rows": [asdict(row) for row in rows],
            "targets": [asdict(verdict) for verdict in verdicts],
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 1 if any(verdict.reached is False for verdict in verdicts) else 0


def _versions() -> dict[str, str]:
    """What the peers' environment holds, and the SSH server."""
    code = (
        "import json, importlib.metadata as m; "
        "print(json.dumps({n: m.version(n) for n in ('ansible-core', 'pyinfra', 'fabric', 'paramiko')}))"
    )
    python = str(contenders.VENV / "bin" / "python")
    peers = subprocess.run(
        [python, "-c", code], check=True, capture_output=True, text=True, timeout=30
    ).stdout
    ssh = subprocess.run(["ssh", "-V"], check=True, capture_output=True, text=True, timeout=30).stderr
    return {**json.loads(peers), "ssh": ssh.strip(), "python": sys.version.split()[0]}
