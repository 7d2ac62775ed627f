"""Real OpenSSH servers on loopback, for tests of everything that speaks SSH.

In a tier's ``conftest.py``::

    from tests.support.sshd import account, sshd, sshd_factory  # noqa: F401

``sshd`` is one running server; ``sshd_factory(...)`` starts more, a proxy among them (``lab/sshd.py``). As
root every server serves an account that exists for the tests alone, with ``/bin/sh`` and an empty home; else
the current user.
"""

import os
from collections.abc import Iterator

import pytest

from lab.accounts import Account, temporary_account
from lab.programs import find_program
from lab.sshd import Sshd, SshdFactory, running_servers


def require(program: str) -> str:
    """Path of a program; without it the test skips, except in CI, where it fails."""
    try:
        return find_program(program)
    except FileNotFoundError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """The login of all servers of this test run."""
    require("sshd")
    with temporary_account() as made:
        yield made


@pytest.fixture
def sshd_factory(account: Account) -> Iterator[SshdFactory]:
    """Starts servers: ``sshd_factory(options={"AllowTcpForwarding": "no"})``; they end with the test."""
    with running_servers(account) as make:
        yield make


@pytest.fixture
def sshd(sshd_factory: SshdFactory) -> Sshd:
    """One running server."""
    return sshd_factory()
