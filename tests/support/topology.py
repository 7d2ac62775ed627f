"""The topology, built once for all tests that only look at it."""

from collections.abc import Iterator
from contextlib import contextmanager

from lab.networks import Topology
from tests.support.privilege import needs
from workers.embedded_redis import find_server


@contextmanager
def running_topology() -> Iterator[Topology]:
    """A topology of two hosts of each kind; skips where it can't be built."""
    needs("ip", "nft", "sshd", "useradd", root=True)
    with Topology(redis_program=find_server()) as topology:
        yield topology
