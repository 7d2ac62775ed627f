import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from producer import Client
from tests.support.player import Player
from tests.support.site import Site, running_site

FLEET = """\
pools:
  official: {kind: official}
  frankfurt: {kind: self-hosted}
credentials:
  deploy: {user: deploy, password: {env: PLANTED_VARIABLE}}
clusters:
  web:
    os: linux
    pool: official
    credential: deploy
    hosts: {web-1: 127.0.1.1, web-2: 127.0.1.2, web-3: 127.0.1.3}
  plant:
    os: linux
    pool: frankfurt
    credential: deploy
    hosts: {plant-1: 127.0.2.1}
"""
SHOP = """\
application: shop
parameters:
  version: {required: true}
  token: {secret: {env: SHOP_TOKEN}}
actions:
  - run: ./install.sh "$version"
    name: install
  - run: ./check.sh
    name: check
rollout: {batches: [1, "100%"], max_failed: 1}
"""


@pytest.fixture(scope="session")
def whole_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def site(whole_site: Site) -> Iterator[Site]:
    """A Redis without workers, empty, with a fleet and an application in its folder."""
    whole_site.record.flushall()
    (whole_site.folder / "fleet.yaml").write_text(FLEET)
    (whole_site.folder / "shop.yaml").write_text(SHOP)
    yield whole_site
    for index, worker in enumerate(whole_site.workers):
        if worker.poll() is None:
            whole_site.end_worker(index)


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with Client(site.redis.url(0), site.redis.url(1), operator="ana") as connected:
        yield connected


@pytest.fixture
def verified(site: Site, client: Client) -> None:
    """The hosts of ``web`` were verified just now."""
    player = Player(site.writer, client.verify(site.folder / "fleet.yaml", "web").id)
    player.play()
    site.broker.flushdb()


@pytest.fixture
def started(site: Site) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command line in the background, with pipes; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: str, **changes: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "producer", *words],
            cwd=site.folder,
            env={**site.environment, **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def root() -> Path:
    return Path(__file__).parents[3]
