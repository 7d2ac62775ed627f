"""The WinRM tier: real sockets on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.windows.machine import WindowsMachine
from lab.winrm.certificates import CertificateAuthority
from lab.winrm.host import WinrmHost
from lab.winrm.server import WinrmServer
from tests.support.sshd import account, sshd, sshd_factory
from tests.support.winrm_lab import ADDRESS, PASSWORD, USER, Bench

__all__ = ["account", "sshd", "sshd_factory"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark this folder's tests as integration tests."""
    for item in items:
        if "tests/integration/winrm" in str(item.path):
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Bench]:
    """A stand-in Windows host with its WinRM service, over HTTP and HTTPS."""
    authority = CertificateAuthority(tmp_path / "ca")
    machine = WindowsMachine("web-1", tmp_path / "web-1", passwords={USER: PASSWORD})
    host = WinrmHost(machine, certificate=authority.issue("web-1", names=["web-1", ADDRESS]))
    with WinrmServer({ADDRESS: host}) as http, WinrmServer({ADDRESS: host}, tls=True) as https:
        yield Bench(host, http, https, authority, tmp_path)
