import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from config.errors import RedisUnreachableError
from producer import Client
from producer.client import NotSentError
from tasks.record.store import RecordWriter
from tests.support.site import Site
from workers.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.integration


@contextmanager
def _closed() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else gets meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def _silent() -> Iterator[int]:
    """A server that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def _unanswering() -> Iterator[int]:
    """A port whose queue is full: the kernel answers no further connection, like a firewall that drops."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@pytest.mark.parametrize("trouble", [_closed, _silent, _unanswering])
@pytest.mark.parametrize(
    "words",
    [
        ("verify", "web"),
        ("deploy", "shop.yaml", "--to", "web", "--set", "version=1"),
        ("show", "r"),
        ("cancel", "r"),
        ("logs", "r"),
        ("runs",),
        ("pools",),
    ],
    ids=lambda words: words[0],
)
def test_a_command_without_redis_ends_with_4_within_5_seconds(
    site: Site, trouble: Callable[[], Iterator[int]], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with trouble() as port:  # type: ignore[attr-defined] # context managers
        address = f"redis://ops:hunter2@127.0.0.1:{port}"
        monkeypatch.setitem(site.environment, "LONGSHORE_REDIS_URL", f"{address}/0")
        monkeypatch.setitem(site.environment, "LONGSHORE_RECORD_URL", f"{address}/1")
        began = time.monotonic()
        done = site.longshore(*words)
        took = time.monotonic() - began
    assert done.returncode == 4, done.stderr
    assert took < 5.0
    assert f"redis://ops:***@127.0.0.1:{port}" in done.stderr
    assert "hunter2" not in done.stderr
    assert done.stdout == ""


def test_a_broker_that_is_down_is_noticed_before_anything_is_recorded(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _closed() as port:
        monkeypatch.setitem(site.environment, "LONGSHORE_REDIS_URL", f"redis://127.0.0.1:{port}/0")
        done = site.longshore("verify", "web")
    assert done.returncode == 4
    assert f"redis://127.0.0.1:{port}/0" in done.stderr
    assert site.record.dbsize() == 0


@pytest.mark.parametrize("words", [("cancel",), ("pools",)])
def test_a_broker_that_says_nothing_is_not_waited_for_longer(
    site: Site, client: Client, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = client.verify(site.folder / "fleet.yaml", "web").id
    with _silent() as port:
        monkeypatch.setitem(site.environment, "LONGSHORE_REDIS_URL", f"redis://127.0.0.1:{port}/0")
        began = time.monotonic()
        done = site.longshore(*words, *([run_id] if words == ("cancel",) else []))
        took = time.monotonic() - began
    assert done.returncode == 4, done.stderr
    assert took < 5.0


def test_a_message_that_cannot_be_sent_loses_nothing_and_the_id_is_told(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker goes away between the record and the message."""
    broker = EmbeddedRedis(tmp_path)
    broker.start()
    with Client(broker.url(0), site.redis.url(1)) as client:
        create = RecordWriter.create

        def create_and_lose_the_broker(*arguments: Any, **named: Any) -> object:
            made = create(*arguments, **named)
            broker.stop()
            return made

        monkeypatch.setattr(RecordWriter, "create", create_and_lose_the_broker)
        began = time.monotonic()
        with pytest.raises(NotSentError) as caught:
            client.verify(site.folder / "fleet.yaml", "web")
        assert time.monotonic() - began < 5.0
    assert caught.value.exit_code == 4
    assert caught.value.run_id in str(caught.value)
    assert site.reader.active() == [caught.value.run_id]


def test_hosts_are_listed_without_redis_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with _closed() as port:
        monkeypatch.setitem(site.environment, "LONGSHORE_REDIS_URL", f"redis://127.0.0.1:{port}/0")
        monkeypatch.setitem(site.environment, "LONGSHORE_RECORD_URL", f"redis://127.0.0.1:{port}/1")
        done = site.longshore("hosts")
    assert done.returncode == 0
    assert "web-1" in done.stdout
    assert "unknown" in done.stderr


def test_an_outage_is_waited_out_while_a_run_is_followed(tmp_path: Path, site: Site) -> None:
    with EmbeddedRedis(tmp_path / "data") as first:
        port = first.port
        client = Client(first.url(0), first.url(1), operator="ana")
        run = client.verify(site.folder / "fleet.yaml", "web")
        following = run.follow()
        next(following)
    assert any(progress.outage for progress in (next(following), next(following)))
    with EmbeddedRedis(tmp_path / "data", port=port):
        assert any(not progress.outage for progress in (next(following) for _ in range(5)))
    client.close()


def test_an_outage_that_lasts_ends_the_following_and_says_how_to_go_on(tmp_path: Path, site: Site) -> None:
    with EmbeddedRedis(tmp_path) as server:
        client = Client(server.url(0), server.url(1))
        run = client.verify(site.folder / "fleet.yaml", "web")
        following = run.follow(patience=0.5)
        next(following)
    with pytest.raises(RedisUnreachableError, match=f"longshore watch {run.id}"):
        list(following)
    client.close()
