from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hostscript import SHELLS, Host, make_host


@pytest.fixture(params=SHELLS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    """A host under each of the shells that hosts have."""
    made = make_host(tmp_path, request.param)
    yield made
    made.end()


@pytest.fixture
def dash_host(tmp_path: Path) -> Iterator[Host]:
    made = make_host(tmp_path, "dash")
    yield made
    made.end()
