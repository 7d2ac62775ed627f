"""What needs a network: fetch with curl and both wgets, and checks over http and tcp."""

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from config.causes import Cause
from tasks.outcomes import HostResult, Outcome
from tests.support.hostscript import Host, command_lines, make_host, names, require

pytestmark = pytest.mark.integration
CONTENT = os.urandom(200_000)
SUM = hashlib.sha256(CONTENT).hexdigest()
TOOLS = ("mkdir", "head", "tail", "sleep", "wc", "setsid", "cat", "rm", "mv", "chmod", "sha256sum", "grep")


class Packages(BaseHTTPRequestHandler):
    requests: list[str]

    def do_GET(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        if self.path.endswith("/missing"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:1000] if self.path.endswith("/short") else CONTENT)

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Packages) as served:
        served.seen = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


@pytest.fixture(params=["curl", "wget", "busybox"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    """A host that has one of the tools that pull, and no other."""
    made = make_host(tmp_path, "dash")
    tools = tmp_path / "few"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(require(tool))
    name = "wget" if request.param == "busybox" else request.param
    (tools / name).symlink_to(require(request.param))
    for tool in ("bash", "python3"):
        (tools / tool).symlink_to(f"/usr/bin/{tool}")
    yield made.on_path(f"{made.path.split(':')[0]}:{tools}")
    made.end()


def fetched(host: Host, url: str, *, sha256: str = SUM) -> HostResult:
    return host.carry_out({"fetch": {"url": url, "to": "opt/app.tgz", "sha256": sha256}})[1].result()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_package_is_pulled_once_and_put_in_place(host: Host, server: ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{server.server_port}/app.tgz"
    assert fetched(host, url).outcome is Outcome.OK
    assert (host.home / "opt/app.tgz").read_bytes() == CONTENT
    assert fetched(host.of_run("run-2"), url).outcome is Outcome.OK
    assert server.seen == ["/app.tgz"]  # type: ignore[attr-defined]
    assert names(host.home / "opt") == ["app.tgz"]


@pytest.mark.parametrize(
    ("path", "cause", "said"),
    [("/missing", Cause.PULL_HTTP, "404"), ("/app.tgz", Cause.CHECKSUM, f"expected {'0' * 64}, got {SUM}")],
)
def test_what_goes_wrong_has_its_cause(
    host: Host, server: ThreadingHTTPServer, path: str, cause: Cause, said: str
) -> None:
    result = fetched(host, f"http://127.0.0.1:{server.server_port}{path}", sha256="0" * 64)
    assert (result.outcome, result.cause) == (Outcome.FAILED, cause)
    assert said in result.message
    assert names(host.home / "opt") == []


def test_a_name_that_does_not_resolve_is_dns(host: Host) -> None:
    assert fetched(host, "http://no-such-host.invalid/x").cause is Cause.PULL_DNS


def test_a_port_where_nothing_listens_is_refused(host: Host) -> None:
    assert fetched(host, f"http://127.0.0.1:{free_port()}/x").cause is Cause.PULL_REFUSED


def test_an_address_without_a_way_to_it_is_not_called_refused(host: Host) -> None:
    few = Path(host.path.split(":")[1])
    (pulls,) = (few / name for name in ("curl", "wget") if (few / name).exists())
    real = pulls.readlink()
    pulls.unlink()
    pulls.write_text(
        f'#!/bin/sh\nexec {require("unshare")} -rn {real} {"wget " * (real.name == "busybox")}"$@"\n'
    )
    pulls.chmod(0o755)
    result = fetched(host, "http://192.0.2.1/x")
    assert result.cause is Cause.PULL_TIMEOUT, result


def test_a_transfer_that_breaks_off_puts_nothing_in_place(host: Host, server: ThreadingHTTPServer) -> None:
    result = fetched(host, f"http://127.0.0.1:{server.server_port}/short")
    assert result.outcome is Outcome.FAILED
    assert names(host.home / "opt") == []


def test_checks_over_http_and_tcp_come_true(host: Host, server: ThreadingHTTPServer) -> None:
    address = f"127.0.0.1:{server.server_port}"
    _, progress = host.carry_out(
        {"check": {"http": f"http://{address}/", "within": "5s"}},
        {"check": {"http": f"http://{address}/missing", "status": 404, "within": "5s"}},
        {"check": {"tcp": address, "within": "5s"}},
    )
    assert progress.result().outcome is Outcome.OK, progress.result()


def test_checks_that_fail_say_why(host: Host, server: ThreadingHTTPServer) -> None:
    short = {"within": "0.1s", "every": "0.1s"}
    address = f"127.0.0.1:{server.server_port}"
    _, http = host.carry_out({"check": {"http": f"http://{address}/missing", **short}})
    assert http.result().cause is Cause.CHECK_FAILED
    assert "404" in http.result().message
    _, tcp = host.of_run("run-2").carry_out({"check": {"tcp": f"127.0.0.1:{free_port()}", **short}})
    assert tcp.result().cause is Cause.CHECK_FAILED
    assert "efused" in tcp.result().message


def test_without_curl_and_wget_the_tool_is_missing(host: Host) -> None:
    tools = Path(host.path.split(":")[1])
    for tool in ("curl", "wget"):
        (tools / tool).unlink(missing_ok=True)
    result = fetched(host, "http://127.0.0.1/x")
    assert (result.cause, result.message.split(": ")[1]) == (
        Cause.TOOL_MISSING,
        "the host has no curl; install the package curl",
    )


def test_a_secret_in_a_url_stands_in_no_argument_of_curl(tmp_path: Path) -> None:
    made = make_host(tmp_path, "dash")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        from config.application import Application  # noqa: PLC0415 - of this test only
        from tasks.actions.steps import steps_of  # noqa: PLC0415 - of this test only

        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{{{{ access }}}}"
        application = Application.model_validate(
            {"application": "shop", "actions": [{"fetch": {"url": url, "to": "x", "sha256": SUM}}]}
        )
        declared = steps_of(
            application,
            {},
            secrets=("access",),
            render=lambda text, values: text.replace("{{ access }}", values["access"]),
        )
        driven = made.run(declared, access="t0p-s3cr3t")
        connection, _ = silent.accept()
        assert b"t0p-s3cr3t" in connection.recv(4096)
        assert b"t0p-s3cr3t" not in command_lines()
        connection.close()
        driven.finish()
    made.end()
