"""The lab's Windows hosts as a program of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import winrm

from lab.tcp import free_port
from lab.winrm import PASSWORD_VARIABLE
from tests.support.windows_host import PASSWORD, USER

pytestmark = pytest.mark.integration


def test_hosts_in_a_process_of_their_own(tmp_path: Path) -> None:
    log, http_port = tmp_path / "log", free_port()
    argv = [sys.executable, "-m", "lab.winrm", "--directory", str(tmp_path), "--user", USER]
    argv += ["--log", str(log), "--http-port", str(http_port)]
    hosts = [f"--host=desk-{number}=127.43.0.{number}" for number in (1, 2)]
    environment = {**os.environ, PASSWORD_VARIABLE: PASSWORD}
    with subprocess.Popen([*argv, *hosts], env=environment, stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout is not None
        try:
            report = json.loads(lab.stdout.readline())
            for name, host in report["hosts"].items():
                for scheme, port in (("https", report["port"]), ("http", http_port)):
                    session = winrm.Session(
                        f"{scheme}://{host['address']}:{port}/wsman",
                        auth=(report["user"], PASSWORD),
                        transport="ntlm",
                        ca_trust_path=report["ca_file"],
                    )
                    assert session.run_cmd("hostname").std_out.split() == [name.encode()]
            lab.send_signal(signal.SIGUSR1)
            meanwhile = json.loads(lab.stdout.readline())
        finally:
            lab.send_signal(signal.SIGTERM)
        last = json.loads(lab.stdout.readline())
        assert lab.wait(20) == 0
    assert {name: counts["Create"] for name, counts in last["requests"].items()} == {"desk-1": 2, "desk-2": 2}
    assert meanwhile == last
    created = [line for line in log.read_text().splitlines() if line.endswith(" Create")]
    assert created == ["desk-1 127.0.0.1 Create"] * 2 + ["desk-2 127.0.0.1 Create"] * 2
