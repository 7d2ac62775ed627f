"""The page about the record, held against a record."""

import re
from pathlib import Path
from typing import Any

import pytest

from producer import Client
from tasks.outcomes import RunState
from tasks.record.answers import LogPart
from tasks.record.presence import Presence
from tests.support.player import Player
from tests.support.site import Site

pytestmark = pytest.mark.integration
PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "record.md").read_text()


def _section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def _rows(title: str) -> list[list[str]]:
    lines = [line for line in _section(title).splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _pattern(key: str) -> re.Pattern[str]:
    shape = re.escape(key.strip("`")).replace(r"\{id\}", r"\d{8}-\d{6}-[0-9a-f]{4}")
    return re.compile(re.sub(r"\\\{(host|machine|application)\\\}", "[^ ]+", shape))


KEYS = [(_pattern(key), kind, expiry) for key, kind, _, _, expiry in _rows("Keys")]


def _documented(key: str) -> tuple[str, str]:
    """The type and expiry of the row that fits a key best: the longest pattern."""
    fitting = [(len(shape.pattern), kind, expiry) for shape, kind, expiry in KEYS if shape.fullmatch(key)]
    assert fitting, f"{key} has no row"
    return max(fitting)[1:]


@pytest.fixture
def record(site: Site, client: Client) -> Any:
    """A record with everything in it: ended runs, one under way, a cut log, a queue, a worker, a sweep."""
    first = Player(site.writer, client.verify(site.folder / "fleet.yaml", "web").id)
    first.begin()
    first.finish(first.claim("web-1"), log=LogPart(head=b"h", tail=b"t", cut=1))
    first.finish_all(["web-2", "web-3"])
    first.end()
    _steered(site, client)
    deployed = client.deploy(site.folder / "fleet.yaml", site.folder / "shop.yaml", "web", {"version": "1.4"})
    second = Player(site.writer, deployed.id)
    second.begin()
    held = second.claim("web-1")
    second.report(held, steps="[]", printed=b"x")
    site.writer.defer(held, begun=True, seconds=60, proxy="bastion", cause="proxy_lost gone")
    site.writer.sent_again(second.run_id, ["web-1"])
    again = client.deploy(site.folder / "fleet.yaml", site.folder / "shop.yaml", "web", {"version": "1.5"})
    behind = Player(site.writer, again.id)
    behind.begin()
    # One machine, two deployments: the second waits.
    with pytest.raises(AssertionError, match="busy"):
        behind.claim("web-1")
    Player(site.writer, client.verify(site.folder / "fleet.yaml", "plant").id).begin()
    client.steer.cancel(second.run_id, now=True)
    waiting = client.deploy(
        site.folder / "fleet.yaml", site.folder / "shop.yaml", "plant", {"version": "1.4"}
    )
    verification = waiting.verification()
    assert verification is not None
    third = Player(site.writer, verification.id)
    third.begin()
    third.claim("plant-1")
    Presence(site.record).announce(name="w", pool="official", version="1", slots=1, busy=0)
    site.record.set("sweep", "w", px=60_000)
    return site.record


def _steered(site: Site, client: Client) -> None:
    """Runs that a person steers: one to be looked at, one that failed, its retry and its rollback."""

    def deploy(host: str, version: str) -> Player:
        fleet, shop = site.folder / "fleet.yaml", site.folder / "shop.yaml"
        return Player(site.writer, client.deploy(fleet, shop, host, {"version": version}).id)

    deploy("web-2", "1.3").play()
    lost = deploy("web-3", "1.3")
    lost.begin()
    lost.finish(lost.claim("web-3"), "indeterminate", cause="connection_lost")
    lost.end(RunState.NEEDS_ATTENTION)
    client.steer.resolve(lost.run_id, "web-3", "rerun")
    failed = deploy("web-2", "1.4")
    failed.begin()
    failed.finish(failed.claim("web-2"), "failed", cause="step_failed")
    failed.end(RunState.FAILED)
    client.steer.pause(client.steer.retry(failed.run_id).id)
    client.steer.roll_back(failed.run_id, client.steer.plan_rollback(failed.run_id))


def test_every_key_has_a_row_with_its_type_and_expiry(record: Any, site: Site) -> None:
    active = set(site.reader.active())
    seen = set()
    for raw in record.scan_iter():
        key = raw.decode()
        kind, expiry = _documented(key)
        seen.add((kind, expiry))
        assert record.type(key).decode() == kind, key
        run = re.search(r"\d{8}-\d{6}-[0-9a-f]{4}", key)
        expires = expiry.startswith("after `") or (
            expiry == "after the run's end" and run is not None and run[0] not in active
        )
        assert (record.ttl(key) > 0) is expires, key
    assert seen == {(kind, expiry) for _, kind, expiry in KEYS}


def test_every_field_of_a_run_has_a_row(record: Any) -> None:
    documented = {
        name for row in _rows("Fields of `run:{id}`") for name in re.findall(r"`(\w+)(?::\{\w+\})?`", row[0])
    }
    fields = {
        field.decode().partition(":")[0]
        for key in record.scan_iter("run:*")
        if key.count(b":") == 1
        for field in record.hkeys(key)
    }
    assert fields == documented


def test_every_field_of_a_lease_is_named(record: Any) -> None:
    fields = {field.decode() for key in record.scan_iter("lease:*") for field in record.hkeys(key)}
    assert fields == set(re.findall(r"`(\w+)`", _section("Fields of a lease")))


def test_every_kind_of_event_has_a_row() -> None:
    scripts = Path(__file__).parents[3] / "tasks" / "record" / "lua"
    text = "\n".join(path.read_text() for path in scripts.glob("*.lua"))
    written = set(re.findall(r"event\([^,]+, '(\w+)'", text)) | {"host_started", "host_taken_over"}
    assert written == {row[0].strip("`") for row in _rows("Events")}
