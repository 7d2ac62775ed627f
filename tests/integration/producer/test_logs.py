import json
import subprocess
from collections.abc import Callable

import pytest

from producer import Client
from tasks.record.answers import LogPart
from tests.support.player import Player
from tests.support.site import Site

pytestmark = pytest.mark.integration
PRINTED = b"\x1b[31mred\x1b[0m\x07 caf\xe9\r\nlast line"


@pytest.fixture
def player(site: Site, client: Client) -> Player:
    run = client.verify(site.folder / "fleet.yaml", ["web"])
    made = Player(site.writer, run.id)
    made.begin()
    return made


def test_what_a_host_printed_is_harmless(site: Site, player: Player) -> None:
    player.report(player.claim("web-1"), printed=PRINTED)
    done = site.longshore("logs", player.run_id, "web-1")
    assert (done.returncode, done.stdout) == (0, "red\\x07 caf\\xe9\nlast line\n")


def test_raw_is_what_it_printed(site: Site, player: Player) -> None:
    player.report(player.claim("web-1"), printed=b"\x1b[31mred\n\x07\n")
    assert site.longshore("logs", player.run_id, "web-1", "--raw").stdout == "\x1b[31mred\n\x07\n"


def test_the_cut_is_said_where_it_is(site: Site, player: Player) -> None:
    log = LogPart(head=b"head\n", tail=b"tail\n", cut=1_048_576)
    player.finish(player.claim("web-1"), log=log)
    done = site.longshore("logs", player.run_id, "web-1")
    assert done.stdout == "head\n\n... 1,048,576 bytes left out ...\ntail\n"


def test_all_hosts_are_told_apart(site: Site, player: Player) -> None:
    player.finish(player.claim("web-1"), "failed", cause="command", log=LogPart(head=b"one\n"))
    player.report(player.claim("web-2"), printed=b"two\n")
    done = site.longshore("logs", player.run_id)
    assert done.stdout == "== web-1 (failed)\none\n== web-2 (running)\ntwo\n== web-3 (sent)\n"
    document = json.loads(site.longshore("logs", player.run_id, "--json").stdout)
    assert document["hosts"][0] == {"name": "web-1", "log": "one\n", "cut": 0, "tail": ""}


def test_a_host_that_is_not_in_the_run_is_bad_input(site: Site, player: Player) -> None:
    done = site.longshore("logs", player.run_id, "web-9")
    assert done.returncode == 2
    assert 'no host "web-9"' in done.stderr


def test_a_log_is_followed_while_it_grows(
    player: Player, started: Callable[..., subprocess.Popen[str]]
) -> None:
    claim = player.claim("web-1")
    player.report(claim, printed=b"one\ntw")
    following = started("logs", player.run_id, "web-1", "--follow")
    assert following.stdout
    assert following.stdout.readline() == "one\n"
    player.report(claim, printed=b"o\nthree")
    assert following.stdout.readline() == "two\n"
    player.finish(claim, log=LogPart(head=b"!\n", tail=b"end\n", cut=10))
    said, noted = following.communicate(timeout=20)
    assert (following.returncode, noted) == (0, "")
    assert said == "three!\n\n... 10 bytes left out ...\nend\n"


def test_several_logs_are_followed_side_by_side(
    player: Player, started: Callable[..., subprocess.Popen[str]]
) -> None:
    claims = {host: player.claim(host) for host in ("web-1", "web-2", "web-3")}
    player.report(claims["web-2"], printed=b"from two\n")
    following = started("logs", player.run_id, "--follow")
    assert following.stdout
    assert following.stdout.readline() == "web-2 | from two\n"
    for claim in claims.values():
        player.finish(claim)
    assert following.wait(20) == 0
