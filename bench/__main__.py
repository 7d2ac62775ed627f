"""``python -m bench``: what is asked for, and the way into the namespaces."""

import argparse
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from bench import contenders, namespace
from bench.run import Options, run

_NEEDED = ("unshare", "ip", "mount", "sshd", "ssh", "ssh-keygen")
_REQUIREMENTS = Path(__file__).parent / "requirements-peers.txt"


def main() -> int:
    """Run the bench; the exit code is 1 when a target was missed, 2 when it can't run here."""
    arguments = sys.argv[1:]
    asked = _parser().parse_args(arguments)
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    if asked.inside:
        return run(_options(asked))
    missing = [program for program in _NEEDED if shutil.which(program) is None]
    if missing:
        print(
            f"bench: {', '.join(missing)} not found; try: apt-get install openssh-server iproute2",
            file=sys.stderr,
        )
        return 2
    if os.geteuid() != 0:
        print("bench: it makes namespaces, which takes root; try it with sudo", file=sys.stderr)
        return 2
    _install_peers()
    return namespace.enter("bench", arguments, asked.minutes * 60)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Longshore and its peers, side by side."
    )
    parser.add_argument("--hosts", default="100,1000", help="sizes, with commas between (%(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often everything is measured (%(default)s)"
    )
    parser.add_argument("--only", default="", help="rows, by the beginnings of their names, with commas")
    parser.add_argument("--quick", action="store_true", help="30 hosts, one round: does everything work?")
    parser.add_argument(
        "--at-once", type=int, default=50, help="hosts in work at the same time (%(default)s)"
    )
    parser.add_argument("--workers", default="1x50", help="worker processes x threads in each (%(default)s)")
    parser.add_argument("--minutes", type=float, default=40.0, help="end it all after so long (%(default)s)")
    parser.add_argument("--json", type=Path, help="also write every figure to this file")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser


def _options(asked: argparse.Namespace) -> Options:
    processes, _, threads = asked.workers.partition("x")
    return Options(
        sizes=(30,) if asked.quick else tuple(sorted(int(size) for size in asked.hosts.split(","))),
        rounds=1 if asked.quick else asked.rounds,
        only=tuple(name for name in asked.only.split(",") if name),
        quick=asked.quick,
        at_once=asked.at_once,
        processes=int(processes),
        threads=int(threads),
        json=asked.json,
    )


def _install_peers() -> None:
    """Make the peers' own environment, once for each state of their requirements."""
    stamp = contenders.VENV / "requirements.txt"
    wanted = _REQUIREMENTS.read_text(encoding="utf-8")
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print("bench: installing the peers, once", file=sys.stderr)
    venv.create(contenders.VENV, with_pip=True, clear=True)
    pip = [str(contenders.VENV / "bin" / "python"), "-m", "pip", "install", "-qq"]
    subprocess.run([*pip, "-r", str(_REQUIREMENTS)], check=True, timeout=600)
    stamp.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
