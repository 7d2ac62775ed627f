"""A wget for machines that have neither curl nor wget: on the lab's hosts, so that they can pull packages.

It knows what BusyBox's wget is asked by Longshore, and speaks like it. It runs as a plain file, by path.
"""

import argparse
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_USAGE: Final = "the lab's stand-in for BusyBox wget: wget [-q] [-S] [-T SECONDS] -O FILE URL"


def main(words: Sequence[str]) -> int:
    """Pull one URL into a file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="wget", usage=_USAGE)
    parser.add_argument("-q", action="store_true")
    parser.add_argument("-S", action="store_true", help="print the answer's status")
    parser.add_argument("-T", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("-O", type=Path, required=True, metavar="FILE")
    parser.add_argument("url")
    asked = parser.parse_args(words)
    if not asked.url.startswith(("http://", "https://")):
        return _complain(f"not an http or ftp url: {asked.url}")
    try:
        with urllib.request.urlopen(asked.url, timeout=asked.T) as answer, asked.O.open("wb") as file:  # noqa: S310 - the scheme is checked above
            if asked.S:
                sys.stderr.write(f"  HTTP/1.1 {answer.status} {answer.reason}\n")
            shutil.copyfileobj(answer, file)
    except urllib.error.HTTPError as error:
        error.close()
        return _complain(f"server returned error: HTTP/1.1 {error.code} {error.reason}")
    except urllib.error.URLError as error:
        return _complain(f"can't connect to remote host: {error.reason}")
    except OSError as error:
        return _complain(str(error))
    return 0


def _complain(text: str) -> int:
    sys.stderr.write(f"wget: {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
