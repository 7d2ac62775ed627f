"""The units of the Windows host script that the lab knows, by the SHA-256 of their text.

When a unit's text changes, its stand-in in ``hostscript``, ``runner`` or ``actions`` has to be looked at
again; until then the lab refuses it. ``python -m tests.support.units`` writes the sums anew.
"""

import hashlib
import json
import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

_PIPE = re.compile(r"longshore-[0-9a-f]{32}")


class UnknownUnitError(Exception):
    """A script of which the lab has no stand-in."""


@cache
def known() -> dict[str, str]:
    """SHA-256 of each unit's text, by name."""
    sums: dict[str, str] = json.loads((files("lab.windows") / "units.json").read_text())
    return sums


@lru_cache(maxsize=64)
def is_bootstrap(text: str) -> bool:
    """Whether this is what a worker's command line carries."""
    return _sum(text) == known()["bootstrap"]


def pipe_name(text: str) -> str:
    """The pipe from which a runner's command line has it read; empty where it is no runner's."""
    found = _PIPE.search(text)
    return found[0] if found and _sum(text.replace(found[0], "NAME")) == known()["pipe"] else ""


@lru_cache(maxsize=64)
def check_units(script: str) -> frozenset[str]:
    """The names of a script's units, all of which the lab knows.

    Raises:
        UnknownUnitError: it knows one of them not at all, or with another text.
    """
    parts = re.split(r"^#unit (\S+)\n", script, flags=re.MULTILINE)
    if parts[0]:
        raise UnknownUnitError("the WinRM protocol lab was sent a script that doesn't begin with a unit")
    names = dict(zip(parts[1::2], parts[2::2], strict=True))
    for name, text in names.items():
        if known().get(name) != _sum(text):
            raise UnknownUnitError(
                f"the WinRM protocol lab has no stand-in for this text of the unit {name!r}"
            )
    return frozenset(names)


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


Data = dict[str, Any]
"""The document with all that varies; docs/reference/host-script-windows.md has its fields."""
