"""One deployment, watched in Flower: what every test of this tier looks at."""

from collections.abc import Iterator

import pytest

from lab.accounts import Account
from lab.sshd import running_servers
from producer import Client
from tasks.record.views import RunView
from tests.support.board import Board
from tests.support.chromium import Chromium
from tests.support.flower import Flower, running_flower
from tests.support.rollout import Rollout
from tests.support.site import Site, running_site
from tests.support.sshd import account
from tests.support.yaml_files import application_of

__all__ = ["account"]

SECRETS = {"DB_PASSWORD": "s3cr3t-Tr0ub4dor"}
REDIS_PASSWORD = "r3d1s-passw0rd"  # noqa: S105 - of a Redis that lives as long as the tests


@pytest.fixture(scope="session")
def chromium() -> Chromium:
    return Chromium()


@pytest.fixture(scope="session")
def board(chromium: Chromium, account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    del chromium  # without it there is nobody to look
    folder = tmp_path_factory.mktemp("board")
    with (
        running_servers(account) as servers,
        running_site(folder, password=REDIS_PASSWORD, **SECRETS) as site,
        running_flower(site) as flower,
        Client(site.redis.url(0), site.redis.url(1), operator="ana") as client,
    ):
        site.start_worker("official")
        view = _deploy(Rollout(site, client, servers()))
        site.wait_for(lambda: _has_seen(flower, view), "Flower's knowledge of the run's end")
        yield Board(
            flower=flower, run=view, worker=_worker_of(site), planted=(*SECRETS.values(), REDIS_PASSWORD)
        )


def _deploy(rollout: Rollout) -> RunView:
    """Deploy; every host is given a secret and says it, and web-3 fails over it."""
    application = application_of(
        {"run": 'echo "the password is $db"'},
        {"run": 'test "$LONGSHORE_HOST" != web-3 || { echo "can not log in with $db" >&2; exit 3; }'},
        rollout={"batches": [1, "100%"]},
    )
    application["parameters"]["db"] = {"secret": {"env": "DB_PASSWORD"}}
    return rollout.deploy(rollout.fleet(4), application)


def _has_seen(flower: Flower, view: RunView) -> bool:
    tasks = flower.json("/api/tasks").values()
    return any(task["root_id"] == view.id and "run failed" in (task["result"] or "") for task in tasks)


def _worker_of(site: Site) -> str:
    (name,) = (worker.name for worker in site.presence())
    return name
