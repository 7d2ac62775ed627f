"""``python -m bench.winrm``: what is asked for, and the way into the namespaces.

A program of its own beside ``python -m bench``: other hosts, another reference, other targets.
"""

import argparse
import os
import sys
from pathlib import Path

from bench import namespace
from bench.winrm.run import Options, run

_MEGABYTE = 1_000_000


def main() -> int:
    """Run the bench; the exit code is 1 when a target was missed, 2 when it can't run here."""
    arguments = sys.argv[1:]
    asked = _parser().parse_args(arguments)
    if asked.inside:
        os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
        return run(_options(asked))
    if os.geteuid() != 0:
        print("bench: it makes namespaces, which takes root; try it with sudo", file=sys.stderr)
        return 2
    return namespace.enter("bench.winrm", arguments, asked.minutes * 60)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.winrm", description=run.__doc__)
    parser.add_argument("--hosts", type=int, default=100, help="(%(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often everything is measured (%(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="8 hosts, one round: does everything work?")
    parser.add_argument(
        "--at-once", type=int, default=50, help="hosts in work at the same time (%(default)s)"
    )
    parser.add_argument("--megabytes", type=int, default=50, help="of an upload (%(default)s)")
    parser.add_argument("--silence", type=int, default=20, help="seconds without output (%(default)s)")
    parser.add_argument("--minutes", type=float, default=20.0, help="end it all after so long (%(default)s)")
    parser.add_argument("--json", type=Path, help="also write every figure to this file")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser


def _options(asked: argparse.Namespace) -> Options:
    return Options(
        hosts=8 if asked.quick else asked.hosts,
        rounds=1 if asked.quick else asked.rounds,
        at_once=asked.at_once,
        upload_bytes=_MEGABYTE * (5 if asked.quick else asked.megabytes),
        silence=2 if asked.quick else asked.silence,
        json=asked.json,
    )


if __name__ == "__main__":
    sys.exit(main())
