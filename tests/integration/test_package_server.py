"""The package server, over HTTP."""

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from lab.package import make_package, package_bytes
from lab.package_server import Access, PackageServer

pytestmark = pytest.mark.integration


def test_it_serves_packages_and_writes_down_who_pulled_what(tmp_path: Path) -> None:
    package = make_package(tmp_path, "1.0")
    with PackageServer(tmp_path, log=tmp_path / "access.log") as server:
        with urllib.request.urlopen(f"{server.url}/shop-1.0.tar.gz") as answer:  # noqa: S310 - http, ours
            content = answer.read()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{server.url}/absent")  # noqa: S310 - http, ours
        refused.value.close()
    assert hashlib.sha256(content).hexdigest() == package.sha256
    assert server.log.read() == [
        Access(client="127.0.0.1", path="/shop-1.0.tar.gz", status=200),
        Access(client="127.0.0.1", path="/absent", status=404),
    ]


def test_a_package_is_the_same_bytes_each_time_and_other_bytes_for_another_version() -> None:
    assert package_bytes("1.0") == package_bytes("1.0")
    assert package_bytes("1.0") != package_bytes("1.1")
