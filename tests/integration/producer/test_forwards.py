"""What a verification says of forwarded ports."""

import json
import socket
from pathlib import Path

import pytest

from tests.support.files import written
from tests.support.site import Site

pytestmark = pytest.mark.integration

FLEET = """\
pools: {{official: {{kind: official}}}}
credentials: {{admin: {{user: Administrator, password: {{file: {password}}}}}}}
proxies:
  win: {{os: windows, address: 127.0.0.1, ports: 1024-65535}}
clusters:
  desk:
    os: windows
    pool: official
    credential: admin
    proxy: win
    hosts:
      desk-1: {{address: 10.0.1.21, forward_port: {port}, winrm: {{ignore_certificate: true}}}}
"""


def test_a_forward_that_is_missing_is_found_and_told_how_to_make(site: Site, tmp_path: Path) -> None:
    site.start_worker("official")
    password = written(tmp_path, "password", "secret")
    with socket.socket() as closed:
        # Bound and not listening: nobody else gets the port, and connections are refused.
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        fleet = str(written(tmp_path, "fleet.yaml", FLEET.format(password=password, port=port)))
        verified = site.longshore("verify", "desk", "--fleet", fleet, "--json")
    assert verified.returncode == 1, verified.stderr
    assert "Warning: desk-1: any certificate is taken" in verified.stderr
    run = json.loads(verified.stdout)["id"]
    assert "Warning: desk-1: any certificate is taken" in site.longshore("show", run).stderr

    checked = site.longshore("fleet", "forwards", "--check", "last", "--fleet", fleet)
    assert checked.returncode == 1, checked.stderr
    rows = [line.split() for line in checked.stdout.splitlines()]
    assert ["win", str(port), "desk-1", "10.0.1.21:5986", "missing", "proxy_tcp_refused"] in rows
    assert f"portproxy add v4tov4 listenaddress=0.0.0.0 listenport={port} " in checked.stdout
    document = json.loads(
        site.longshore("fleet", "forwards", "--check", run, "--fleet", fleet, "--json").stdout
    )
    assert document["run"] == run
    assert document["forwards"][0]["state"] == "missing"
