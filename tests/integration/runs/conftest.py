from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.sshd import Sshd
from producer import Client
from tests.support.rollout import Rollout
from tests.support.site import Site, running_site
from tests.support.sshd import account, sshd, sshd_factory

__all__ = ["account", "sshd", "sshd_factory"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path, LONGSHORE_LEASE_SECONDS="3", LONGSHORE_SWEEP_INTERVAL="1") as running:
        yield running


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with Client(site.redis.url(0), site.redis.url(1), operator="ana") as connected:
        yield connected


@pytest.fixture
def rollout(site: Site, client: Client, sshd: Sshd) -> Rollout:
    return Rollout(site, client, sshd)
