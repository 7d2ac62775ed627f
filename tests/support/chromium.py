"""A headless Chromium: pages as a person sees them, after their scripts have run."""

import html
import re
import shutil
import subprocess
import tempfile

import pytest

from tests.support.privilege import needs

PAGE_SECONDS = 60.0
_FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root, where it can't start one
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1500,1000",
    "--virtual-time-budget=5000",
)


class Chromium:
    """One browser, which starts anew for every page, with nothing remembered."""

    def __init__(self) -> None:
        needs("chromium")
        self._program = shutil.which("chromium") or "chromium"

    def page(self, url: str) -> "Page":
        """A page once its scripts have come to rest."""
        return Page(self._run("--dump-dom", url).decode())

    def screenshot(self, url: str, path: str) -> None:
        """A picture of a page; for looking at it while a test is written."""
        self._run(f"--screenshot={path}", url)

    def _run(self, *words: str) -> bytes:
        with tempfile.TemporaryDirectory(prefix="longshore-browser-", ignore_cleanup_errors=True) as profile:
            done = subprocess.run(
                [self._program, *_FLAGS, f"--user-data-dir={profile}", *words],
                capture_output=True,
                timeout=PAGE_SECONDS,
                check=False,
            )
        if done.returncode != 0:
            pytest.fail(f"chromium ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
        return done.stdout


class Page:
    """What a page holds.

    Attributes:
        source: its elements, as they stand after its scripts.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    @property
    def text(self) -> str:
        """Its words, without elements and scripts."""
        shown = re.sub(r"(?is)<(script|style)\b.*?</\1>", " ", self.source)
        return _words(shown)

    def lines(self) -> list[dict[str, str]]:
        """The rows of its tables, by the headings of their columns."""
        return [line for table in _found("table", self.source) for line in _lines(table)]

    def details(self) -> dict[str, str]:
        """Its list of names and values."""
        pairs = re.findall(r"(?is)<dt\b[^>]*>(.*?)</dt>\s*<dd\b[^>]*>(.*?)</dd>", self.source)
        return {_words(name): _words(value) for name, value in pairs}


def _lines(table: str) -> list[dict[str, str]]:
    headings = [_words(cell) for cell in _found("th", table)]
    rows = [row for body in _found("tbody", table) for row in _found("tr", body)]
    return [dict(zip(headings, map(_words, _found("td", row)), strict=False)) for row in rows]


def _found(element: str, source: str) -> list[str]:
    return re.findall(rf"(?is)<{element}\b.*?</{element}>", source)


def _words(source: str) -> str:
    return " ".join(html.unescape(re.sub(r"(?s)<[^>]*>", " ", source)).split())
