"""The WinRM tier: real sockets on loopback."""

import pytest

from tests.support.sshd import account, sshd, sshd_factory

__all__ = ["account", "sshd", "sshd_factory"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark this folder's tests as integration tests."""
    for item in items:
        if "tests/integration/winrm" in str(item.path):
            item.add_marker(pytest.mark.integration)
