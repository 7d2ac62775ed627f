import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from config.celery_settings import queue_name
from producer import Client
from tasks.outcomes import RunState
from tests.support.player import Player
from tests.support.site import Site

pytestmark = pytest.mark.integration
PLANTED = "hunter2-planted"


def _messages(site: Site, pool: str = "official") -> list[dict[str, Any]]:
    raw: Any = site.broker.lrange(queue_name(pool), 0, -1)
    return [json.loads(each) for each in raw]


def _everything(site: Site) -> Iterator[str]:
    """All that both databases hold, message bodies decoded."""
    for client in (site.broker, site.record):
        for key in client.scan_iter():
            dumped: Any = client.dump(key)
            yield dumped.decode("latin-1")
    for message in _messages(site):
        yield json.dumps(message) + base64.b64decode(message["body"]).decode()


def test_a_verification_is_a_record_and_one_message(site: Site, client: Client) -> None:
    run = client.verify(site.folder / "fleet.yaml", ["web"])
    view = run.view()
    assert (view.kind, view.state, view.operator) == ("verification", RunState.QUEUED, "ana")
    assert [host.name for host in view.batches[0].hosts] == ["web-1", "web-2", "web-3"]
    (message,) = _messages(site)
    headers = message["headers"]
    assert headers["task"] == "longshore.advance"
    assert headers["root_id"] == run.id
    assert (headers["argsrepr"], headers["kwargsrepr"]) == ("verification · gate", f"run {run.id}")
    assert json.loads(base64.b64decode(message["body"]))[0] == [run.id]


def test_a_verification_of_several_pools_is_sent_where_a_worker_lives(site: Site, client: Client) -> None:
    site.start_worker("frankfurt")
    run = client.verify(site.folder / "fleet.yaml", ["web", "plant"])
    site.wait_for(lambda: len(_messages(site)) == 3, "the gate's messages, by the only worker there is")
    assert run.view().state is RunState.RUNNING
    assert {message["headers"]["task"] for message in _messages(site)} == {"longshore.verify_host"}


def test_hosts_that_were_not_verified_are_verified_first(site: Site, client: Client) -> None:
    run = client.deploy(site.folder / "fleet.yaml", site.folder / "shop.yaml", "web", {"version": "1.4"})
    verification = run.verification()
    assert verification is not None
    assert verification.view().kind == "verification"
    assert run.view().waiting == f"waiting: its verification, run {verification.id}, hasn't ended"
    (message,) = _messages(site)
    assert json.loads(base64.b64decode(message["body"]))[0] == [verification.id]
    standing = site.writer.standing(verification.id)
    assert standing is not None
    assert standing.waiting_run == run.id


def test_only_the_hosts_that_need_it_are_verified(site: Site, client: Client) -> None:
    Player(site.writer, client.verify(site.folder / "fleet.yaml", ["web-1", "web-3"]).id).play()
    run = client.deploy(site.folder / "fleet.yaml", site.folder / "shop.yaml", "web", {"version": "1.4"})
    verification = run.verification()
    assert verification is not None
    assert [host.name for batch in verification.view().batches for host in batch.hosts] == ["web-2"]


@pytest.mark.usefixtures("verified")
def test_verified_hosts_are_deployed_to_at_once(site: Site, client: Client) -> None:
    run = client.deploy(site.folder / "fleet.yaml", site.folder / "shop.yaml", "web", {"version": "1.4"})
    assert run.verification() is None
    (message,) = _messages(site)
    assert message["headers"]["argsrepr"] == "shop 1.4 · gate"


@pytest.mark.usefixtures("verified")
def test_no_secret_is_in_the_record_or_in_a_message(
    site: Site, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """References are; what they refer to isn't, even where this process could read it."""
    monkeypatch.setenv("PLANTED_VARIABLE", PLANTED)
    monkeypatch.setenv("SHOP_TOKEN", PLANTED)
    run = client.deploy(site.folder / "fleet.yaml", site.folder / "shop.yaml", "web", {"version": "1.4"})
    assert run.view().parameters == {"version": "1.4", "token": "(secret)"}
    held = list(_everything(site))
    assert any("SHOP_TOKEN" in each for each in held)
    assert not any(PLANTED in each for each in held)


def test_detached_prints_the_id_and_nothing_else(site: Site) -> None:
    done = site.longshore("verify", "web", "--detach")
    assert (done.returncode, done.stderr) == (0, "")
    assert site.reader.exists(done.stdout.removesuffix("\n"))
    document = json.loads(site.longshore("verify", "web", "--detach", "--json").stdout)
    assert site.reader.exists(document["id"])


def test_bad_input_writes_and_sends_nothing(site: Site) -> None:
    done = site.longshore("deploy", "shop.yaml", "--to", "web")
    assert done.returncode == 2
    assert (site.record.dbsize(), site.broker.dbsize()) == (0, 0)


def test_a_run_is_under_way_within_a_second_of_submitting(site: Site, client: Client) -> None:
    site.start_worker("official")
    run = client.verify(site.folder / "fleet.yaml", ["web"])
    site.wait_for(lambda: run.view().state.ended, "the run's end")
    begun = next(event for event in site.reader.events(run.id) if event.kind == "host_started")
    assert begun.at - run.view().created < 1.0


def test_pools_tell_what_waits(site: Site, client: Client) -> None:
    client.verify(site.folder / "fleet.yaml", ["web"])
    client.verify(site.folder / "fleet.yaml", ["web-1"])
    pools = {pool["name"]: pool for pool in json.loads(site.longshore("pools", "--json").stdout)["pools"]}
    assert (pools["official"]["kind"], pools["official"]["waiting"], pools["official"]["slots"]) == (
        "official",
        2,
        0,
    )
    assert pools["frankfurt"]["waiting"] == 0


@pytest.mark.usefixtures("verified")
def test_hosts_tell_when_they_were_last_verified(site: Site) -> None:
    hosts = {host["name"]: host for host in json.loads(site.longshore("hosts", "--json").stdout)["hosts"]}
    assert time.time() - 60 < hosts["web-1"]["verified"] <= time.time() + 1
    assert hosts["plant-1"]["verified"] is None
    assert hosts["plant-1"]["route"] == "direct"
