"""Hosts that die in mid-upload do no harm to the connection to the proxy that all of them share."""

import sys
from collections.abc import Iterator

import pytest

from bench.storm import storm
from bench.storm_reach import longshore
from lab.sshd import Sshd, SshdFactory
from tests.support.ssh import PATIENT
from workers.routes import Tunnels

HOSTS = 50
ROUNDS = 4


@pytest.fixture(autouse=True)
def _threads_that_interrupt_each_other_often() -> Iterator[None]:
    """What goes wrong between two threads goes wrong sooner."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.00005)
    yield
    sys.setswitchinterval(before)


def test_hosts_killed_in_mid_upload_do_not_break_their_proxy(sshd: Sshd, sshd_factory: SshdFactory) -> None:
    proxy = sshd_factory()
    tunnels = Tunnels(PATIENT)
    reach = longshore(tunnels, proxy.hop())
    reports = [storm(sshd, reach, hosts=HOSTS, at_once=HOSTS) for _ in range(ROUNDS)]
    tunnels.close()
    killed = len(range(0, HOSTS, 3))
    assert [report.ends for report in reports] == [{"whole": HOSTS - killed, "killed": killed}] * ROUNDS
    assert proxy.logins() == 1
    assert "nonexistent channel" not in proxy.log()


def test_new_keys_at_the_proxy_in_the_middle_of_uploads_break_nothing(
    sshd: Sshd, sshd_factory: SshdFactory
) -> None:
    proxy = sshd_factory(options={"RekeyLimit": "4M"})
    tunnels = Tunnels(PATIENT)
    report = storm(sshd, longshore(tunnels, proxy.hop()), hosts=24, at_once=12, killed_of=4)
    tunnels.close()
    assert report.ends == {"whole": 18, "killed": 6}
    assert proxy.logins() == 1
