"""The demo's networks on paper: who stands in which segment, with which address."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

PUBLIC_NETWORK: Final = "198.51.100.0/24"
PRIVATE_NETWORK: Final = "10.77.0.0/24"
GATEWAY: Final = "gateway"
PROXY: Final = "bastion"
REDIS: Final = "redis"
PACKAGES: Final = "packages"
OFFICIAL: Final = "official"
SELF_HOSTED: Final = "inside"

Segment = Literal["public", "private"]
Role = Literal["worker", "gateway", "proxy", "host", "service"]

_PREFIX: Final[dict[Segment, str]] = {"public": "198.51.100", "private": "10.77.0"}
_PREFIX_V6: Final[dict[Segment, str]] = {"public": "2001:db8:198:51", "private": "fd00:10:77"}
_LARGEST = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A machine of the topology; a network namespace when it is built.

    Attributes:
        name: unique within the topology.
        legs: its address in each segment that it stands in.
    """

    name: str
    role: Role
    legs: dict[Segment, str]

    @property
    def address(self) -> str:
        """Its address: the public one of those that have two."""
        return self.legs.get("public") or self.legs["private"]

    @property
    def legs_v6(self) -> dict[Segment, str]:
        """Its IPv6 addresses, which are routed nowhere: each segment is on its own."""
        return {
            segment: f"{_PREFIX_V6[segment]}::{address.rpartition('.')[2]}"
            for segment, address in self.legs.items()
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkPlan:
    """All machines, and which hosts serve which purpose.

    Attributes:
        nodes: by name.
        direct: names of hosts in the public segment.
        private: names of hosts in the private one, which the official pool reaches through the proxy.
        inside: names of hosts in the private one, which belong to the self-hosted pool.
    """

    nodes: dict[str, Node]
    direct: tuple[str, ...]
    private: tuple[str, ...]
    inside: tuple[str, ...]

    @property
    def with_sshd(self) -> Iterator[Node]:
        """The proxy and the hosts."""
        return (node for node in self.nodes.values() if node.role in {"proxy", "host"})


def plan_networks(*, direct: int, private: int, inside: int) -> NetworkPlan:
    """Give every machine its place.

    Args:
        direct: number of hosts in the public segment.
        private: number of private hosts of the official pool.
        inside: number of private hosts of the self-hosted pool.

    Raises:
        ValueError: more hosts than a segment has addresses for.
    """
    if direct > _LARGEST or private + inside > _LARGEST:
        raise ValueError(f"a segment has room for {_LARGEST} hosts")
    nodes = [
        Node(name=GATEWAY, role="gateway", legs=_legs(1, "public", "private")),
        Node(name=PROXY, role="proxy", legs=_legs(40, "public", "private")),
        Node(name=OFFICIAL, role="worker", legs=_legs(10, "public")),
        Node(name=REDIS, role="service", legs=_legs(20, "public")),
        Node(name=PACKAGES, role="service", legs=_legs(30, "public")),
        Node(name=SELF_HOSTED, role="worker", legs=_legs(10, "private")),
    ]
    first = 101
    groups = {
        "direct": [_host(f"direct-{n}", first + n - 1, "public") for n in range(1, direct + 1)],
        "private": [_host(f"private-{n}", first + n - 1, "private") for n in range(1, private + 1)],
        "inside": [_host(f"inside-{n}", first + private + n - 1, "private") for n in range(1, inside + 1)],
    }
    nodes += [host for hosts in groups.values() for host in hosts]
    return NetworkPlan(
        nodes={node.name: node for node in nodes},
        **{group: tuple(host.name for host in hosts) for group, hosts in groups.items()},
    )


def _host(name: str, number: int, segment: Segment) -> Node:
    return Node(name=name, role="host", legs=_legs(number, segment))


def _legs(number: int, *segments: Segment) -> dict[Segment, str]:
    return {segment: f"{_PREFIX[segment]}.{number}" for segment in segments}


def gateway_rules() -> str:
    """The NAT gateway's nftables rules: out from the private segment, and nothing in but answers."""
    return f"""\
table ip longshore {{
  chain forward {{
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    ip saddr {PRIVATE_NETWORK} ip daddr != {PRIVATE_NETWORK} accept
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {PRIVATE_NETWORK} ip daddr != {PRIVATE_NETWORK} masquerade
  }}
}}
"""
