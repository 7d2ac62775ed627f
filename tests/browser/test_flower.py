"""Flower, as a person sees it in a browser."""

import shlex
from pathlib import Path
from urllib.parse import urlencode

import pytest

from producer.local import flower_command
from tests.support.board import Board
from tests.support.chromium import Chromium
from tests.support.documents import blocks

pytestmark = pytest.mark.browser

PAGES = ("/", "/workers", "/tasks", "/broker")


def _board(board: Board, chromium: Chromium) -> list[dict[str, str]]:
    """The lines of the tasks page."""
    return chromium.page(board.flower.opened("/tasks")).lines()


def _details(board: Board, chromium: Chromium, task: str) -> dict[str, str]:
    # Pages have each id twice, whole and short; their style shows one of them.
    return chromium.page(board.flower.opened(f"/task/{task.split(maxsplit=1)[0]}")).details()


def test_the_tasks_page_reads_like_a_deployment_board(board: Board, chromium: Chromium) -> None:
    lines = [line for line in _board(board, chromium) if line["UUID"].startswith(board.run.id)]

    shown = {(line["args"], line["State"], line["Result"]) for line in lines}
    assert shown == {
        ("shop 1.4 · gate", "SUCCESS", "batch 1/2 begins"),
        ("shop 1.4 · batch 1/2 · web-1 · direct", "SUCCESS", "ok"),
        ("shop 1.4 · gate", "SUCCESS", "batch 2/2 begins"),
        ("shop 1.4 · batch 2/2 · web-2 · direct", "SUCCESS", "ok"),
        ("shop 1.4 · batch 2/2 · web-3 · direct", "FAILURE", "failed: step_failed"),
        ("shop 1.4 · batch 2/2 · web-4 · direct", "SUCCESS", "ok"),
        ("shop 1.4 · gate", "SUCCESS", "run failed"),
    }
    assert {line["Worker"] for line in lines} == {board.worker}
    assert all(line["Received"] and line["Runtime"] for line in lines)


def test_the_verification_before_it_is_on_the_board_too(board: Board, chromium: Chromium) -> None:
    lines = [line for line in _board(board, chromium) if line["UUID"].startswith(str(board.run.verification))]

    hosts = {(f"verification · batch 1/1 · web-{number} · direct", "ok") for number in range(1, 5)}
    gates = {("verification · gate", "batch 1/1 begins"), ("verification · gate", "run succeeded")}
    assert {(line["args"], line["Result"]) for line in lines} == hosts | gates


def test_a_search_for_a_run_finds_it_alone(board: Board) -> None:
    asked = {"search[value]": f"kwargs:{board.run.id}", "draw": 1, "start": 0, "length": 50}
    asked |= {"order[0][column]": 0, "columns[0][data]": "args"}

    found = board.flower.json(f"/tasks/datatable?{urlencode(asked)}")["data"]

    assert len(found) == 7
    assert {task["root_id"] for task in found} == {board.run.id}


def test_a_tasks_page_leads_from_a_host_to_its_gate_and_to_the_run(board: Board, chromium: Chromium) -> None:
    (failed,) = (line for line in _board(board, chromium) if line["State"] == "FAILURE")

    host = _details(board, chromium, failed["UUID"])
    gate = _details(board, chromium, host["Parent id"])
    first = _details(board, chromium, host["Root id"])

    assert host["Name"] == "longshore.deploy_host"
    assert host["Arguments"] == "shop 1.4 · batch 2/2 · web-3 · direct"
    assert host["Keyword arguments"] == f"run {board.run.id}"
    assert (gate["Name"], gate["Result"]) == ("longshore.advance", "batch 2/2 begins")
    assert (first["Arguments"], first["Result"]) == ("shop 1.4 · gate", "batch 1/2 begins")
    assert "web-1" in _details(board, chromium, gate["Parent id"])["Arguments"]


def test_the_failed_host_counts_as_failed(board: Board, chromium: Chromium) -> None:
    lines = chromium.page(board.flower.opened("/")).lines()

    (line,) = [line for line in lines if line["Worker"] == board.worker]
    assert (line["Status"], line["Failed"], line["Succeeded"]) == ("Online", "1", "12")


def test_no_page_shows_a_secret(board: Board, chromium: Chromium) -> None:
    paths = [*PAGES, f"/worker/{board.worker}"]
    pages = {path: chromium.page(board.flower.opened(path)) for path in paths}
    # These have no scripts that would add to them.
    tasks = {
        path: board.flower.text(path) for path in map("/task/{}".format, board.flower.json("/api/tasks"))
    }

    assert len(tasks) == 13
    assert all("Task details" in source for source in tasks.values())
    assert _showing(board, {path: page.source for path, page in pages.items()} | tasks) == []
    assert "broker_url redis://:********@127.0.0.1" in pages[f"/worker/{board.worker}"].text


def test_its_api_shows_no_secret(board: Board) -> None:
    # By name: without one Flower may answer with what it began to ask before there was a worker.
    worker = f"/api/workers?refresh=1&workername={board.worker}"
    paths = ["/api/tasks", "/api/workers?refresh=1", worker, "/api/task/types", "/api/queues/length"]
    paths += [f"/api/task/info/{task}" for task in board.flower.json("/api/tasks")]
    said = {path: board.flower.text(path) for path in paths}

    assert "redis://:********@" in said[worker]
    assert _showing(board, said) == []


def _showing(board: Board, said: dict[str, str]) -> list[tuple[str, str]]:
    return [(path, secret) for path, text in said.items() for secret in board.planted if secret in text]


@pytest.mark.parametrize(
    "path", [*PAGES, "/worker/w0@test", "/api/tasks", "/api/workers", "/api/queues/length"]
)
def test_without_the_password_nothing_is_shown(board: Board, path: str) -> None:
    assert board.flower.status(path) == 401
    assert board.flower.status(path, login=True) == 200


@pytest.mark.parametrize("path", ["/metrics", "/healthcheck"])
def test_what_monitoring_asks_for_is_open_and_says_nothing_of_a_run(board: Board, path: str) -> None:
    said = board.flower.text(path, login=False)
    assert not any(word in said for word in (*board.planted, board.run.id, "web-3", "shop"))


def test_nothing_can_be_done_from_it(board: Board) -> None:
    for path in (f"/api/task/revoke/{board.run.id}", "/api/task/send-task/longshore.advance"):
        assert board.flower.status(path, login=True, method="POST") == 403
    assert board.flower.status(f"/api/worker/shutdown/{board.worker}", login=True, method="POST") == 403


def test_the_pages_command_is_the_one_that_is_started(board: Board) -> None:
    (documented,) = blocks("reference/flower.md", "flower")
    started = flower_command(board.flower.url, Path("/data"))

    assert _forms(shlex.split(documented)[1:]) == _forms(started[3:])


def _forms(words: list[str]) -> list[str]:
    """A command's words without the values of its options."""
    return [word.partition("=")[0] for word in words]
