"""What a tier needs of the machine; a person's laptop may lack it, CI may not."""

import os
import shutil
from collections.abc import Iterable

import pytest


def needs(*programs: str, root: bool = False) -> None:
    """Skip where ``programs`` or root are missing, and say which; in CI (``CI=true``) fail instead."""
    search_path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    lacking = [name for name in programs if shutil.which(name, path=search_path) is None]
    if root and os.geteuid() != 0:
        lacking.append("root")
    if not lacking:
        return
    reason = f"this machine lacks {_listed(lacking)}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
