"""Fenced blocks of the documentation, for tests that run what it says."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(?P<language>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """The blocks of ``language`` on a page of ``docs``, in order."""
    found = _BLOCK.finditer((ROOT / "docs" / page).read_text())
    return [match["text"] for match in found if match["language"] == language]
