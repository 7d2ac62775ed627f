"""``python -m lab``: the lab as a program."""

import argparse
import asyncio
import sys
from pathlib import Path

from lab.fleet import SMALLEST_FLEET
from lab.up import up


def main() -> int:
    """Run a lab in the foreground; when it is ready it prints one line of JSON with its addresses."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=main.__doc__)
    command = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "up", help="stand-in hosts, a proxy and a package server on loopback, until SIGTERM or Ctrl-C"
    )
    command.add_argument("--directory", type=Path, required=True, help="for everything that the lab writes")
    command.add_argument("--hosts", type=int, default=12, help=f"how many, at least {SMALLEST_FLEET}")
    arguments = parser.parse_args()
    if arguments.hosts < SMALLEST_FLEET:
        parser.error(f"--hosts: expected {SMALLEST_FLEET} or more, to show every route")
    asyncio.run(up(arguments.directory.resolve(), arguments.hosts, _say))
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
