"""Every command of the page on steering, run against runs that stand where the page speaks of them."""

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from producer import Run
from tests.support.documents import blocks
from tests.support.rollout import Rollout
from tests.support.yaml_files import application_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.integration
COMMANDS = [line for block in blocks("how-to/steer-a-run.md", "sh") for line in block.splitlines()]


def _asked(rollout: Rollout, line: str, run: Run | None = None) -> subprocess.CompletedProcess[str]:
    words = [run.id if run and word == "RUN" else word for word in shlex.split(line)[1:]]
    return rollout.site.longshore(*words, *(["--detach"] if words[0] == "deploy" else []))


def test_every_command_of_the_page_does_what_it_says(rollout: Rollout) -> None:
    home, site = rollout.home, rollout.site
    site.start_worker("official")
    fleet = rollout.fleet(1)
    gated = application_of({"run": f"until [ -e {home}/gate ]; do sleep 0.05; done"})
    failing = application_of({"run": "false"})

    def under_way() -> Run:
        (home / "gate").unlink(missing_ok=True)
        run = rollout.submit(fleet, gated)
        site.wait_for(lambda: rollout.printed(run, "web-1") == b"" and _running(run), "a host under way")
        return run

    def unknown() -> Run:
        run = under_way()
        assert rollout.sshd.kill_sessions() > 0
        rollout.end(run)
        (home / "gate").touch()
        return run

    def failed() -> Run:
        return rollout.client.run(rollout.deploy(fleet, failing).id)

    def behind() -> Run:
        (home / "gate").unlink(missing_ok=True)
        return rollout.submit(fleet, gated)

    (home / "gate").touch()
    rollout.deploy(fleet, gated)  # something to go back to
    paused = under_way()
    cases: list[tuple[str, Callable[[], Run | None], int, str]] = [
        ("longshore explain RUN", lambda: paused, 0, "is under way"),
        ("longshore pause RUN", lambda: paused, 0, "is paused; 1 host under way will finish"),
        ("longshore resume RUN", lambda: paused, 0, "goes on"),
        ("longshore cancel RUN", lambda: paused, 0, "is being cancelled; 1 host under way"),
        ("longshore cancel RUN --now", under_way, 0, "is being cancelled; 1 host under way"),
        ("longshore retry RUN", failed, 1, "1 failed"),
        ("longshore rollback RUN", failed, 0, "succeeded"),
        ("longshore rollback RUN --scope all", failed, 0, "succeeded"),
        ("longshore resolve RUN web-1 --as ok", unknown, 0, "goes on"),
        ("longshore resolve RUN web-1 --as failed", unknown, 0, "goes on"),
        ("longshore resolve RUN web-1 --as rerun", unknown, 0, "goes on"),
        ("longshore deploy shop.yaml --to web --if-busy wait", behind, 0, ""),
        ("longshore deploy shop.yaml --to web --if-busy fail", lambda: None, 1, "comes first for web-1"),
        ("longshore deploy shop.yaml --to web --if-busy supersede", lambda: None, 0, ""),
    ]
    assert [line for line, *_ in cases] == COMMANDS
    for line, stands, code, said in cases:
        run = stands()
        if line == "longshore rollback RUN":
            (home / "gate").touch()
        answer = _asked(rollout, line, run)
        assert answer.returncode == code, (line, answer)
        assert said in answer.stdout + answer.stderr, (line, answer)
        if run and line.startswith(("longshore cancel", "longshore resolve")):
            rollout.end(run)
    (home / "gate").touch()


def _running(run: Run) -> bool:
    (batch,) = run.view().batches
    return any(step.state == "running" for host in batch.hosts for step in host.steps)
