"""The demo's networks on paper: who stands in which segment, with which address."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

PUBLIC_NETWORK: Final = "198.51.100.0/24"
PRIVATE_NETWORK: Final = "10.77.0.0/24"
GATEWAY: Final = "gateway"
PROXY: Final = "bastion"
WINDOWS_PROXY: Final = "winproxy"
REDIS: Final = "redis"
PACKAGES: Final = "packages"
OFFICIAL: Final = "official"
SELF_HOSTED: Final = "inside"
SSH_PORT: Final = 22
WINRM_HTTP_PORT: Final = 5985
WINRM_HTTPS_PORT: Final = 5986

Segment = Literal["public", "private"]
Role = Literal["worker", "gateway", "proxy", "windows-proxy", "host", "windows-host", "service"]

_PREFIX: Final[dict[Segment, str]] = {"public": "198.51.100", "private": "10.77.0"}
_PREFIX_V6: Final[dict[Segment, str]] = {"public": "2001:db8:198:51", "private": "fd00:10:77"}
_LARGEST = 100
_FIRST_HOST: Final = 101
_FIRST_FORWARD: Final = 15000


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
class Forward:
    """A port of the Windows proxy, and where it leads.

    Attributes:
        port: on the proxy.
        host: name of a machine.
        target_port: on that one.
    """

    port: int
    host: str
    target_port: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkPlan:
    """All machines, and which hosts serve which purpose.

    Attributes:
        nodes: by name.
        direct: names of hosts in the public segment.
        private: names of hosts in the private one, which the official pool reaches through the proxies.
        inside: names of hosts in the private one, which belong to the self-hosted pool.
        desk_direct: as ``direct``, of Windows hosts.
        desk_private: as ``private``, of Windows hosts.
        desk_inside: as ``inside``, of Windows hosts.
    """

    nodes: dict[str, Node]
    direct: tuple[str, ...]
    private: tuple[str, ...]
    inside: tuple[str, ...]
    desk_direct: tuple[str, ...]
    desk_private: tuple[str, ...]
    desk_inside: tuple[str, ...]

    @property
    def with_sshd(self) -> Iterator[Node]:
        """The Linux proxy and the Linux hosts."""
        return (node for node in self.nodes.values() if node.role in {"proxy", "host"})

    @property
    def with_winrm(self) -> list[Node]:
        """The Windows hosts."""
        return [node for node in self.nodes.values() if node.role == "windows-host"]

    @property
    def forwards(self) -> tuple[Forward, ...]:
        """The Windows proxy's: to HTTPS and HTTP of each private Windows host, to SSH of each Linux one."""
        if WINDOWS_PROXY not in self.nodes:
            return ()
        targets = [(name, port) for name in self.desk_private for port in (WINRM_HTTPS_PORT, WINRM_HTTP_PORT)]
        targets += [(name, SSH_PORT) for name in self.private]
        return tuple(
            Forward(port=port, host=name, target_port=target_port)
            for port, (name, target_port) in enumerate(targets, _FIRST_FORWARD)
        )


def plan_networks(
    *,
    direct: int,
    private: int,
    inside: int,
    desk_direct: int = 0,
    desk_private: int = 0,
    desk_inside: int = 0,
) -> NetworkPlan:
    """Give every machine its place; there is a Windows proxy where there are Windows hosts for it.

    Args:
        direct: number of hosts in the public segment.
        private: number of private hosts of the official pool.
        inside: number of private hosts of the self-hosted pool.
        desk_direct: number of Windows hosts in the public segment.
        desk_private: number of private Windows hosts of the official pool.
        desk_inside: number of private Windows hosts of the self-hosted pool.

    Raises:
        ValueError: more hosts than a segment has addresses for.
    """
    public_hosts = {"direct": direct, "desk_direct": desk_direct}
    private_hosts = {
        "private": private,
        "inside": inside,
        "desk_private": desk_private,
        "desk_inside": desk_inside,
    }
    groups = {**_hosts("public", public_hosts), **_hosts("private", private_hosts)}
    nodes = [
        Node(name=GATEWAY, role="gateway", legs=_legs(1, "public", "private")),
        Node(name=PROXY, role="proxy", legs=_legs(40, "public", "private")),
        Node(name=OFFICIAL, role="worker", legs=_legs(10, "public")),
        Node(name=REDIS, role="service", legs=_legs(20, "public")),
        Node(name=PACKAGES, role="service", legs=_legs(30, "public")),
        Node(name=SELF_HOSTED, role="worker", legs=_legs(10, "private")),
    ]
    if desk_private:
        nodes.append(Node(name=WINDOWS_PROXY, role="windows-proxy", legs=_legs(41, "public", "private")))
    nodes += [host for hosts in groups.values() for host in hosts]
    return NetworkPlan(
        nodes={node.name: node for node in nodes},
        **{group: tuple(host.name for host in hosts) for group, hosts in groups.items()},
    )


def _hosts(segment: Segment, counts: Mapping[str, int]) -> dict[str, list[Node]]:
    """The hosts of a segment by group, one address after the other."""
    if sum(counts.values()) > _LARGEST:
        raise ValueError(f"a segment has room for {_LARGEST} hosts")
    numbers = itertools.count(_FIRST_HOST)
    return {
        group: [_host(group, n, next(numbers), segment) for n in range(1, count + 1)]
        for group, count in counts.items()
    }


def _host(group: str, position: int, number: int, segment: Segment) -> Node:
    role: Role = "windows-host" if group.startswith("desk_") else "host"
    return Node(name=f"{group.replace('_', '-')}-{position}", role=role, legs=_legs(number, segment))


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
