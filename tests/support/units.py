"""Writes the sums of the Windows units that the lab plays, once their stand-ins fit them again."""

import hashlib
import json
from pathlib import Path

from tasks.hostscript import windows

SUMS = Path(__file__).parents[2] / "lab" / "windows" / "units.json"


def sums() -> dict[str, str]:
    """SHA-256 of each unit's text as it is shipped, by name."""
    texts = {name: windows.unit_text(name) for name in windows.unit_names()}
    texts |= {name: windows.constant_text(name) for name in ("bootstrap", "pipe")}
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(texts.items())}


if __name__ == "__main__":
    SUMS.write_text(json.dumps(sums(), indent=2) + "\n")
