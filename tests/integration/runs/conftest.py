from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.site import Site, running_site
from tests.support.sshd import account, sshd, sshd_factory

__all__ = ["account", "site", "sshd", "sshd_factory"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path) as running:
        yield running
