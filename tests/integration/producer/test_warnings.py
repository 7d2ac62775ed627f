"""Whoever begins, follows or looks at a run is told which hosts go without a check or without encryption."""

import json
from typing import Any

import pytest

from config.celery_settings import queue_name
from producer import Client, Run
from tests.support.player import Player
from tests.support.site import Site
from tests.support.yaml_files import write_yaml

pytestmark = pytest.mark.integration
HOSTS = ["desk-1", "desk-2"]
SUBJECTS = ["desk-1: any certificate is taken", "desk-2: http without encryption"]


@pytest.fixture(autouse=True)
def _careless_fleet(site: Site) -> None:
    fleet = {
        "pools": {"official": {"kind": "official"}, "frankfurt": {"kind": "self-hosted"}},
        "credentials": {"admin": {"user": "a", "password": {"env": "P"}}},
        "clusters": {
            "desk": {
                "os": "windows",
                "pool": "official",
                "credential": "admin",
                "hosts": {
                    "desk-1": {"address": "127.0.1.1", "winrm": {"ignore_certificate": True}},
                    "desk-2": {"address": "127.0.1.2", "winrm": {"scheme": "http", "insecure": True}},
                },
            },
            "safe": {
                "os": "windows",
                "pool": "frankfurt",
                "credential": "admin",
                "hosts": {"safe-1": "127.0.1.3"},
            },
        },
    }
    write_yaml(site.folder / "fleet.yaml", fleet)


def _subjects(warnings: tuple[str, ...] | list[str]) -> list[str]:
    return [each[: len(subject)] for each, subject in zip(warnings, SUBJECTS, strict=True)]


def _told(stderr: str) -> list[str]:
    """What was warned of on standard error; nothing is said twice."""
    marker = "Warning: "
    return _subjects([line.removeprefix(marker) for line in stderr.splitlines() if line.startswith(marker)])


def _deployed(site: Site, client: Client, outcome: str = "ok") -> Run:
    """A deployment whose hosts ended like this."""
    Player(site.writer, client.verify(site.folder / "fleet.yaml", "desk").id).play()
    run = client.deploy(site.folder / "fleet.yaml", site.folder / "shop.yaml", "desk", {"version": "1.4"})
    player = Player(site.writer, run.id)
    for batch, host in enumerate(HOSTS):
        player.begin(batch)
        player.finish(player.claim(host), outcome)
    player.end(seen=1)
    return run


def test_a_program_finds_them_in_the_view_of_a_run(site: Site, client: Client) -> None:
    run = client.verify(site.folder / "fleet.yaml", "desk")
    assert _subjects(run.view().warnings) == SUBJECTS
    assert client.verify(site.folder / "fleet.yaml", "safe").view().warnings == ()


def test_those_who_submit_are_told(site: Site) -> None:
    deploy = ["deploy", "shop.yaml", "--to", "desk", "--set", "version=1.4"]
    for words in (["verify", "desk"], deploy):
        for json_words in ([], ["--json"]):
            assert _told(site.longshore(*words, "--detach", *json_words).stderr) == SUBJECTS
    assert site.longshore("verify", "safe", "--detach").stderr == ""


def test_those_who_follow_or_look_are_told(site: Site, client: Client) -> None:
    run = _deployed(site, client)
    for words in (["watch", run.id], ["show", run.id]):
        for_people, for_programs = site.longshore(*words), site.longshore(*words, "--json")
        assert _told(for_people.stderr) == _told(for_programs.stderr) == SUBJECTS
        assert "Warning" not in for_people.stdout
        document: dict[str, Any] = json.loads(for_programs.stdout)
        assert _subjects(document["warnings"]) == SUBJECTS
    assert _told(site.longshore("logs", run.id, "--follow").stderr) == SUBJECTS


def test_those_who_try_again_or_take_back_are_told(site: Site, client: Client) -> None:
    _deployed(site, client)
    failed = _deployed(site, client, "failed")
    for words in (["retry", failed.id], ["rollback", failed.id]):
        assert _told(site.longshore(*words, "--detach").stderr) == SUBJECTS


def test_the_host_is_marked_where_people_watch_tasks(site: Site, client: Client) -> None:
    site.start_worker("frankfurt")
    client.verify(site.folder / "fleet.yaml", ["desk", "safe"])
    site.wait_for(lambda: site.broker.llen(queue_name("official")) == len(HOSTS), "the hosts' messages")
    raw: Any = site.broker.lrange(queue_name("official"), 0, -1)
    assert {json.loads(each)["headers"]["argsrepr"] for each in raw} == {
        "verification · batch 1/1 · desk-1 · direct · certificate not checked",
        "verification · batch 1/1 · desk-2 · direct · not encrypted",
    }
