import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from producer import Client
from tasks.outcomes import RunState
from tasks.record.presence import Presence
from tests.support.player import Player
from tests.support.site import Site

pytestmark = pytest.mark.integration
Started = Callable[..., subprocess.Popen[str]]


def _deployment(site: Site, client: Client) -> Player:
    run = client.deploy(site.folder / "fleet.yaml", site.folder / "shop.yaml", "web", {"version": "1.4"})
    return Player(site.writer, run.id)


def _announce(site: Site, *, pool: str = "official", busy: int = 0) -> None:
    Presence(site.record).announce(name="w0@test", pool=pool, version="1.0", slots=4, busy=busy)


def test_without_a_worker_show_and_watch_say_so(site: Site, client: Client, started: Started) -> None:
    run = client.verify(site.folder / "fleet.yaml", ["plant"])
    sentence = "waiting: no worker of pool frankfurt is running"
    assert json.loads(site.longshore("show", run.id, "--json").stdout)["waiting"] == sentence
    assert sentence in site.longshore("show", run.id).stdout
    watching = started("watch", run.id)
    assert watching.stdout
    assert watching.stdout.readline() == sentence + "\n"
    Player(site.writer, run.id).play()
    assert watching.wait(20) == 0


@pytest.mark.usefixtures("verified")
def test_a_busy_pool_and_a_host_of_another_run_are_named(site: Site, client: Client) -> None:
    first, second = _deployment(site, client), _deployment(site, client)
    first.begin()
    first.claim("web-1")
    second.begin()
    _announce(site)
    assert client.run(second.run_id).view().waiting == f"waiting: run {first.run_id} comes first for web-1"
    _announce(site, busy=4)
    assert "pool official is busy, 4 of 4 slots taken" in client.run(second.run_id).view().waiting
    assert client.run(first.run_id).view().waiting == ""


@pytest.mark.usefixtures("verified")
def test_steps_of_hosts_under_way_are_shown(site: Site, client: Client) -> None:
    player = _deployment(site, client)
    player.begin()
    claim = player.claim("web-1")
    player.report(claim, steps=json.dumps([[0, "ok", 0, 1.5], [1, "running", None, None]]))
    host = json.loads(site.longshore("show", player.run_id, "--json").stdout)["batches"][0]["hosts"][0]
    assert [(step["name"], step["state"], step["exit_code"], step["seconds"]) for step in host["steps"]] == [
        ("install", "ok", 0, 1.5),
        ("check", "running", None, None),
    ]
    assert "1/2 running: check" in site.longshore("show", player.run_id).stdout


@pytest.mark.usefixtures("verified")
def test_show_as_json_has_the_promised_keys(site: Site, client: Client) -> None:
    player = _deployment(site, client)
    player.play()
    view = json.loads(site.longshore("show", player.run_id, "--json").stdout)
    promised = {
        "id",
        "kind",
        "state",
        "application",
        "parameters",
        "operator",
        "created",
        "started",
        "finished",
    }
    assert promised | {"batches"} <= set(view)
    assert {"index", "state", "hosts"} <= set(view["batches"][0])
    host = {"name", "pool", "route", "outcome", "cause", "message", "seconds", "steps"}
    assert host <= set(view["batches"][0]["hosts"][0])
    assert (view["state"], [len(batch["hosts"]) for batch in view["batches"]]) == ("succeeded", [1, 2])


@pytest.mark.usefixtures("verified")
def test_a_deployment_is_followed_line_by_line_to_its_end(site: Site, started: Started) -> None:
    deploying = started("deploy", "shop.yaml", "--to", "web", "--set", "version=1.4")
    assert deploying.stderr
    run_id = deploying.stderr.readline().removeprefix("Run ").strip()
    player = Player(site.writer, run_id)
    player.begin()
    player.finish_all(["web-1"])
    player.begin(1)
    player.finish(player.claim("web-2"), "failed", cause="checksum", message="expected ab, found cd")
    player.finish_all(["web-3"])
    player.end(seen=1, reason="1 host failed, within max_failed")
    said, _ = deploying.communicate(timeout=20)
    assert deploying.returncode == 0
    assert "shop 1.4: batch 1 of 2 begins, 1 host\nweb-1 ok (1.5 s)\n" in said
    assert "web-2 failed: checksum - expected ab, found cd (1.5 s)\n" in said
    assert "1 host failed: checksum\n" in said
    assert "what to try" in said
    assert f"(2 ok, 1 failed; run {run_id})" in said


@pytest.mark.parametrize(
    ("state", "code"),
    [(RunState.SUCCEEDED, 0), (RunState.FAILED, 1), (RunState.CANCELLED, 1), (RunState.NEEDS_ATTENTION, 3)],
)
def test_watching_ends_with_the_code_that_the_run_stands_for(
    site: Site, client: Client, state: RunState, code: int
) -> None:
    run = client.verify(site.folder / "fleet.yaml", ["web-1"])
    player = Player(site.writer, run.id)
    player.begin()
    player.finish_all(["web-1"])
    player.end(state)
    done = site.longshore("watch", run.id, "--json")
    assert done.returncode == code
    assert json.loads(done.stdout)["state"] == state


@pytest.mark.usefixtures("verified")
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_ctrl_c_leaves_the_run_alone_and_says_how_to_come_back(
    site: Site, started: Started, flags: tuple[str, ...]
) -> None:
    deploying = started("deploy", "shop.yaml", "--to", "web", "--set", "version=1.4", *flags)
    site.wait_for(lambda: len(site.reader.active()) == 1, "the run's record")
    (run_id,) = site.reader.active()
    site.wait_for(lambda: site.broker.llen("longshore.official") == 1, "its message")
    deploying.send_signal(signal.SIGINT)
    said, noted = deploying.communicate(timeout=20)
    assert deploying.returncode == 130
    assert f"The run goes on: {run_id}" in noted
    assert f"longshore watch {run_id}" in noted
    assert "Traceback" not in noted
    if flags:
        assert said == ""
    assert site.reader.active() == [run_id]


def test_a_deployment_shows_its_verification_first(site: Site, started: Started) -> None:
    deploying = started("deploy", "shop.yaml", "--to", "web", "--set", "version=1.4")
    site.wait_for(lambda: len(site.reader.active()) == 2, "both records")
    verification, deployment = sorted(
        site.reader.active(),
        key=lambda run_id: site.writer.standing(run_id).kind == "deployment",  # type: ignore[union-attr] # it is there
    )
    assert deploying.stdout
    said = deploying.stdout.readline()
    assert f"verified first, by run {verification}" in said
    Player(site.writer, verification).play()
    Player(site.writer, deployment).play()
    said, _ = deploying.communicate(timeout=20)
    assert deploying.returncode == 0
    assert said.index("verification: batch 1 of 1 begins, 3 hosts") < said.index(
        "shop 1.4: batch 1 of 2 begins"
    )


@pytest.mark.usefixtures("verified")
def test_a_terminal_shows_bars_and_is_left_as_it_was(site: Site, client: Client) -> None:
    player = _deployment(site, client)
    player.begin()
    player.finish(player.claim("web-1"), "failed", cause="auth", message="no")
    ours, theirs = pty.openpty()
    watching = subprocess.Popen(
        [sys.executable, "-m", "producer", "watch", player.run_id],
        cwd=site.folder,
        env={**site.environment, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    seen = _read_until(ours, b"batch 1/2")
    player.begin(1)
    player.finish_all(["web-2", "web-3"])
    player.end(seen=1)
    seen += _read_until(ours, None)
    assert watching.wait(20) == 0
    os.close(ours)
    text = seen.decode()
    assert "web-1" in text
    assert "1/1" in text
    assert "2/2" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") > 0


def _read_until(terminal: int, wanted: bytes | None) -> bytes:
    """What comes on a terminal until it has shown ``wanted``, or to its end."""
    seen, deadline = b"", time.monotonic() + 20
    while time.monotonic() < deadline and (wanted is None or wanted not in seen):
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            more = os.read(terminal, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not more:
            break
        seen += more
    assert wanted is None or wanted in seen, seen
    return seen


@pytest.mark.usefixtures("verified")
def test_cancel_asks_for_the_end_and_sends_the_gate(site: Site, client: Client) -> None:
    player = _deployment(site, client)
    player.begin()
    player.claim("web-1")
    site.broker.flushdb()
    done = site.longshore("cancel", player.run_id)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 host under way being ended" in done.stdout
    assert site.broker.llen("longshore.official") == 1
    standing = site.writer.standing(player.run_id)
    assert standing is not None
    assert standing.cancelled_by


def test_cancelling_a_deployment_cancels_the_verification_that_it_waits_for(
    site: Site, client: Client
) -> None:
    player = _deployment(site, client)
    verification = client.run(player.run_id).verification()
    assert verification is not None
    client.steer.cancel(player.run_id)
    assert verification.view().cancelled_by == "ana"


def test_a_run_that_has_ended_cannot_be_cancelled(site: Site, client: Client) -> None:
    run = client.verify(site.folder / "fleet.yaml", ["web-1"])
    Player(site.writer, run.id).play()
    done = site.longshore("cancel", run.id)
    assert done.returncode == 2
    assert "succeeded already" in done.stderr


@pytest.mark.parametrize("command", ["show", "watch", "logs", "cancel"])
def test_a_run_that_is_not_there_is_bad_input(site: Site, command: str) -> None:
    done = site.longshore(command, "20260131-142530-9f3a")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'There is no run "20260131-142530-9f3a"' in done.stderr


def test_runs_are_listed_newest_first(site: Site, client: Client) -> None:
    assert "There are no runs yet" in site.longshore("runs").stdout
    ids = [client.verify(site.folder / "fleet.yaml", ["web-1"]).id for _ in range(3)]
    runs = json.loads(site.longshore("runs", "--json").stdout)["runs"]
    assert [run["id"] for run in runs] == ids[::-1]
    assert [
        line.split()[0] for line in site.longshore("runs", "--limit", "2").stdout.splitlines()[1:]
    ] == ids[:0:-1]


def test_a_reader_that_goes_away_is_no_error(site: Site, client: Client) -> None:
    for _ in range(3):
        client.verify(site.folder / "fleet.yaml", ["web-1"])
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as broken:
        done = subprocess.run(
            [sys.executable, "-m", "producer", "runs", "--json"],
            cwd=site.folder,
            env=site.environment,
            stdout=broken,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_client_waits_and_tells_how_far_it_is(site: Site, client: Client) -> None:
    run = client.verify(site.folder / "fleet.yaml", ["web"])
    Player(site.writer, run.id).play()
    *_, last = run.follow()
    assert (last.done, last.hosts, last.failed, last.state) == (3, 3, 0, RunState.SUCCEEDED)
    assert run.wait().state is RunState.SUCCEEDED
