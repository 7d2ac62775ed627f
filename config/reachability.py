"""Who must reach whom on which port for a fleet to be deployed to, and no wider than that."""

from collections.abc import Iterator
from typing import Literal

from config.fleet import Fleet, OperatingSystem
from config.routing import Router
from config.targets import HostTarget
from config.values import Value, is_ip_address

PACKAGES_NOTE = (
    "Hosts that fetch packages must also reach the servers in the URLs of their applications' fetch actions; "
    "a fleet doesn't say which those are."
)
REDIS_NOTE = (
    "Machines where people run longshore or Flower must reach Redis too; a fleet doesn't say which those are."
)
SENTINELS_NOTE = (
    "Pools must also reach the Redis servers that the Sentinels name; their URL doesn't say which those are."
)


class Endpoint(Value):
    """One end of a connection.

    Attributes:
        name: as in the fleet; ``redis`` for the broker.
        os: None where the fleet doesn't tell.
        address: where it is reached; empty for pools, which nothing connects to.
        sources: IP addresses and networks from which its connections come; empty while unknown.
    """

    kind: Literal["pool", "proxy", "host", "redis"]
    name: str
    os: OperatingSystem | None = None
    address: str = ""
    sources: tuple[str, ...] = ()


class Reach(Value):
    """One end that must reach another.

    Attributes:
        port: TCP port at the destination.
        why: what for, in a few words.
    """

    source: Endpoint
    destination: Endpoint
    port: int
    why: str


def reachability(fleet: Fleet, *, redis_host: str, redis_port: int) -> tuple[Reach, ...]:
    """Everything that must be reachable, each once, in the order of the fleet.

    Args:
        fleet: as loaded.
        redis_host: where workers find Redis; they open all connections, so that pools need no open port.
        redis_port: its port.

    Raises:
        BadInputError: the fleet refers to something that it doesn't declare.
    """
    return tuple(dict.fromkeys(_reaches(fleet, redis_host, redis_port)))


def _reaches(fleet: Fleet, redis_host: str, redis_port: int) -> Iterator[Reach]:
    pools = {
        name: Endpoint(kind="pool", name=name, sources=pool.addresses) for name, pool in fleet.pools.items()
    }
    redis = Endpoint(kind="redis", name="redis", address=redis_host)
    for pool in pools.values():
        yield Reach(source=pool, destination=redis, port=redis_port, why="jobs and records")
    proxies = _proxies(fleet)
    router = Router(fleet)
    for name in router.cluster_of:
        target = router.target(name)
        yield from _way(target, pools[target.pool], proxies)


def _proxies(fleet: Fleet) -> dict[str, Endpoint]:
    return {
        name: Endpoint(
            kind="proxy",
            name=name,
            os=proxy.os,
            address=proxy.address,
            sources=proxy.addresses or _own_address(proxy.address),
        )
        for name, proxy in fleet.proxies.items()
    }


def _own_address(address: str) -> tuple[str, ...]:
    # The zone of fe80::1%eth0 names an interface of the sender, which means nothing to the receiver.
    return (address.partition("%")[0],) if is_ip_address(address) else ()


def _way(target: HostTarget, source: Endpoint, proxies: dict[str, Endpoint]) -> Iterator[Reach]:
    """The connections, one after the other, that lead to a host."""
    for hop in target.hops:
        proxy = proxies[hop.name]
        yield Reach(source=source, destination=proxy, port=hop.port, why="SSH to the proxy")
        source = proxy
    if target.forward is not None:
        proxy = proxies[target.forward.name]
        why = f"forwarded to {target.name}"
        yield Reach(source=source, destination=proxy, port=target.forward.port, why=why)
        source = proxy
    host = Endpoint(kind="host", name=target.name, os=target.os, address=target.address)
    yield Reach(
        source=source, destination=host, port=target.port, why="SSH" if target.os == "linux" else "WinRM"
    )
