from collections.abc import Iterator

import pytest

from lab.accounts import Account
from tests.chaos.rounds import MOST_HOSTS
from tests.chaos.scene import SHORT_LEASES, Scene, running_scene
from tests.support.sshd import account

__all__ = ["account"]


@pytest.fixture(scope="session")
def shared_scene(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running_scene(tmp_path_factory.mktemp("chaos"), account, **SHORT_LEASES) as scene:
        scene.verify(MOST_HOSTS)
        yield scene


@pytest.fixture
def scene(shared_scene: Scene) -> Iterator[Scene]:
    """Two workers and six verified hosts; each test leaves it as it found it."""
    yield shared_scene
    shared_scene.submitted.clear()
    shared_scene.lost.clear()
