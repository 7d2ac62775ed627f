"""A real Flower on loopback, behind a password, as ``longshore up`` starts it."""

import base64
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from producer.local import flower_command
from tests.support.site import ROOT, Site
from workers.embedded_redis import free_port

USER, PASSWORD = "ana", "fl0wer-passw0rd"


class Flower:
    """A Flower that runs.

    Attributes:
        url: its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def opened(self, path: str) -> str:
        """The address of a page for a browser that is to log in."""
        return self.url.replace("://", f"://{USER}:{PASSWORD}@") + path

    def status(self, path: str, *, login: bool = False, method: str = "GET") -> int:
        """What it answers, with or without the password."""
        return self._answer(path, login=login, method=method)[0]

    def text(self, path: str, *, login: bool = True) -> str:
        """What it says at a path."""
        status, body = self._answer(path, login=login)
        assert status == 200, (path, status, body)
        return body.decode()

    def json(self, path: str) -> Any:
        """A document of its API."""
        return json.loads(self.text(path))

    def _answer(self, path: str, *, login: bool, method: str = "GET") -> tuple[int, bytes]:
        request = urllib.request.Request(  # noqa: S310 - http on loopback
            self.url + path, method=method, data=b"" if method == "POST" else None
        )
        if login:
            token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except urllib.error.URLError:
            return 0, b""


@contextmanager
def running_flower(site: Site) -> Iterator[Flower]:
    """A Flower that watches a site."""
    flower = Flower(f"http://127.0.0.1:{free_port()}")
    environment = {**site.environment, "FLOWER_BASIC_AUTH": f"{USER}:{PASSWORD}"}
    with (site.folder / "flower.log").open("wb") as log:
        process = subprocess.Popen(
            flower_command(flower.url, site.folder), env=environment, cwd=ROOT, stdout=log, stderr=log
        )
    try:
        site.wait_for(lambda: flower.status("/healthcheck") == 200, "Flower")
        yield flower
    finally:
        process.terminate()
        process.wait(15.0)
