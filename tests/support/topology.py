"""The topology, built once for all tests that only look at it."""

from collections.abc import Iterator
from contextlib import contextmanager

from lab.networks import Topology
from tests.support.privilege import needs
from workers.embedded_redis import find_server


@contextmanager
def running_topology(*, windows: bool = True) -> Iterator[Topology]:
    """A topology with hosts of each kind, or of Linux alone; skips where it can't be built."""
    needs("ip", "nft", "sshd", "useradd", root=True)
    none = {} if windows else {"desk_direct": 0, "desk_private": 0, "desk_inside": 0}
    with Topology(redis_program=find_server(), **none) as topology:
        yield topology
