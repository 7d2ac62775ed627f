"""The lab's Windows hosts as a program of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import winrm

from tests.support.windows_host import PASSWORD, USER

pytestmark = pytest.mark.integration


def test_hosts_in_a_process_of_their_own(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "lab.winrm", "--directory", str(tmp_path), "--user", USER]
    hosts = [f"--host=desk-{number}=127.43.0.{number}" for number in (1, 2)]
    environment = {**os.environ, "LAB_WINDOWS_PASSWORD": PASSWORD}
    with subprocess.Popen([*argv, *hosts], env=environment, stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout is not None
        try:
            report = json.loads(lab.stdout.readline())
            for name, host in report["hosts"].items():
                session = winrm.Session(
                    f"https://{host['address']}:{report['port']}/wsman",
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
    assert {name: counts["Create"] for name, counts in last["requests"].items()} == {"desk-1": 1, "desk-2": 1}
    assert meanwhile == last
